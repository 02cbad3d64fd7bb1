import { parseArgs } from 'node:util';
import { consumerSettings, workHelp, workOptions } from '../consumer/config.ts';
import { httpPort, httpPorts, wholeNumber } from '../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../process/settings.ts';
import { environmentHelp } from '../process/settings-help.ts';
import { producerSettings } from '../producer/config.ts';
import { wordServiceSettings } from '../word-service/config.ts';
import { localServerSettings } from './mysql/config.ts';

/** Every setting of `npm start` itself. The environment is handed on, so those of its parts can be set here as well. */
export const startSettings = {
  NGINX_PORT: httpPort({ default: 8_080, why: 'The port of the front door' }),
  PRODUCER_PORTS: httpPorts({ default: [3_001, 3_002], why: 'One producer for each of these ports' }),
  CONSUMERS: wholeNumber({ min: 0, max: 64, default: 2, why: 'How many consumers to start; also --consumers' }),
  ...localServerSettings,
  WORD_SERVICE_PORT: wordServiceSettings.WORD_SERVICE_PORT,
};

// Each part is given its own. That of the machine does not matter: conda, for one, sets HOST.
const OF_EACH_PART = { PORT: '', HOST: '', CONSUMER_NAME: '' };

export type StartConfig = ReturnType<typeof readStartConfig>;

/** `databaseUrl` and `wordServiceUrl` are undefined unless given: then `npm start` brings these parts itself. */
export function readStartConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const { values } = parseArgs({ args, options: { consumers: { type: 'string' }, ...workOptions } });
  const { handlers, webhook: webhooks = [] } = values;
  const given = { ...env, ...OF_EACH_PART, CONSUMERS: values.consumers ?? env['CONSUMERS'] };
  // All that is handed on is checked here: a part that refuses it would end, and be started again, for ever.
  const config = readSettings({ ...producerSettings, ...consumerSettings, ...startSettings }, given);
  const databaseUrl = env['DATABASE_URL'] || env['DATABASE_URL_FILE'] ? config.DATABASE_URL : undefined;
  const wordServiceUrl = env['WORD_SERVICE_URL'] ? config.WORD_SERVICE_URL : undefined;
  const { NGINX_PORT, PRODUCER_PORTS, MYSQL_PORT, WORD_SERVICE_PORT } = config;
  const ports: PortOfPart[] = [
    { port: NGINX_PORT, portVariable: 'NGINX_PORT' },
    ...PRODUCER_PORTS.map((port) => ({ port, portVariable: 'PRODUCER_PORTS' })),
    ...(databaseUrl ? [] : [{ port: MYSQL_PORT, portVariable: 'MYSQL_PORT' }]),
    ...(wordServiceUrl ? [] : [{ port: WORD_SERVICE_PORT, portVariable: 'WORD_SERVICE_PORT' }]),
  ];
  refuseSharedPorts(ports);
  return {
    ...config,
    handlers,
    webhooks,
    databaseUrl,
    wordServiceUrl,
    ports,
    // The parts are given the URL itself. Empty, not undefined: what is not set a part reads from .env again.
    environment: { ...env, DATABASE_URL_FILE: '' },
  };
}

/** A port that `npm start` needs, and the variable that changes it. */
export interface PortOfPart {
  port: number;
  portVariable: string;
}

function refuseSharedPorts(ports: readonly PortOfPart[]): void {
  const users = Map.groupBy(ports, ({ port }) => port);
  const shared = [...users].filter(([, { length }]) => length > 1);
  if (shared.length === 0) return;
  const lines = shared.map(([port, parts]) => `  ${port} in ${parts.map((part) => part.portVariable).join(' and ')}`);
  throw new Error(`These ports are given twice:\n${lines.join('\n')}`);
}

/** What `--help` prints. */
export const helpText = () =>
  environmentHelp(
    `Usage: npm start -- [--consumers N] [--handlers FILE] [--webhook KIND=URL]

Starts a private MySQL, the word service, producers behind nginx, and N consumers. Ctrl-C stops them all, and the data
stays. With --consumers 0 start consumers in other terminals: npm run consumer.

${workHelp().join('\n')}

With DATABASE_URL or WORD_SERVICE_URL it starts no MySQL or word service of its own. The parts get the settings of
producers and consumers from here, too: npm run producer -- --help, npm run consumer -- --help.
`,
    startSettings,
  );
