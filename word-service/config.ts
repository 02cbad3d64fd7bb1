import { milliseconds, oneOf, port, readEnvironment, readSettings, text } from '../process/settings.ts';
import { environmentHelp } from '../process/settings-help.ts';
import { type Behaviour, FAULTS } from './behaviour.ts';

/** Every setting of the local word service, by the environment variable that sets it. */
export const wordServiceSettings = {
  WORD_SERVICE_PORT: port(3_900, 'Port of the local word service'),
  WORD_SERVICE_HOST: text(/^\S+$/, 'address', '127.0.0.1', 'Address to listen on; 0.0.0.0 in a container'),
  WORD_LATENCY_MS: milliseconds(0, 0, 'How long each answer takes'),
  WORD_JITTER_MS: milliseconds(0, 0, 'Added to it at random, up to this much'),
  WORD_FAULT: oneOf(FAULTS, 'error', 'What goes wrong when something does'),
  WORD_FAULT_RATE: text(/^(0(\.\d+)?|1(\.0+)?)$/, 'number, 0 to 1', '0', 'The share of calls that meet the fault'),
};

/** Throws one error that names every setting that can't be used. */
export function readWordServiceConfig(env: Record<string, string | undefined> = readEnvironment()): {
  port: number;
  host: string;
  behaviour: Behaviour;
} {
  const config = readSettings(wordServiceSettings, env);
  return {
    port: config.WORD_SERVICE_PORT,
    host: config.WORD_SERVICE_HOST,
    behaviour: {
      latencyMs: config.WORD_LATENCY_MS,
      jitterMs: config.WORD_JITTER_MS,
      fault: config.WORD_FAULT,
      faultRate: Number(config.WORD_FAULT_RATE),
    },
  };
}

/** What `--help` prints. */
export const helpText = () =>
  environmentHelp(
    `Usage: npm run word-service

Serves Portuguese words, as the public word service does, or fails as it might: for trying things out without it.
`,
    wordServiceSettings,
  );
