import { address, httpPort } from '../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { environmentHelp } from '../process/settings-help.ts';

/** Every setting of the local word service, by the environment variable that sets it. */
export const wordServiceSettings = {
  WORD_SERVICE_PORT: httpPort({ default: 3_900, why: 'The port of the local word service' }),
  HOST: address({ default: '127.0.0.1', why: 'The address to listen on; 0.0.0.0 in a container' }),
};

/** Throws one error that names every setting that can't be used. */
export function readWordServiceConfig(env: Record<string, string | undefined> = readEnvironment()) {
  return readSettings(wordServiceSettings, env);
}

/** What `--help` prints. */
export const helpText = () =>
  environmentHelp(
    `Usage: npm run word-service

Serves Portuguese words as the public word service does, for work without it. Faults are turned on while it runs:
  curl -X PUT localhost:3900/behaviour -d '{"latencyMs":2000,"faultRate":0.5,"fault":"error"}'
`,
    wordServiceSettings,
  );
