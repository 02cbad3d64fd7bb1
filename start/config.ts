import { parseArgs } from 'node:util';
import { databaseSettings } from '../database/config.ts';
import { port, readEnvironment, readSettings, text, wholeNumber } from '../process/settings.ts';
import { producerSettings } from '../producer/config.ts';
import { wordServiceSettings } from '../word-service/config.ts';
import { localServerSettings } from './mysql/config.ts';

/** Every setting of `npm start` itself. The environment is handed on, so those of its parts can be set here as well. */
export const startSettings = {
  NGINX_PORT: port(8_080, 'Port of the front door'),
  PRODUCER_PORTS: text(
    /^\d{1,5}(,\d{1,5})*$/,
    'ports with commas between',
    '3001,3002',
    'One producer for each of these ports',
  ),
  CONSUMERS: wholeNumber(0, 64, 2, 'How many consumers to start; also --consumers'),
  ...localServerSettings,
  WORD_SERVICE_PORT: wordServiceSettings.WORD_SERVICE_PORT,
};

export type StartConfig = ReturnType<typeof readStartConfig>;

/** `databaseUrl` and `wordServiceUrl` are undefined unless given: then `npm start` brings these parts itself. */
export function readStartConfig(args: string[], env: Record<string, string | undefined> = readEnvironment()) {
  const { values } = parseArgs({ args, options: { consumers: { type: 'string' }, help: { type: 'boolean' } } });
  const config = readSettings(startSettings, { ...env, CONSUMERS: values.consumers ?? env['CONSUMERS'] });
  const producerPorts = config.PRODUCER_PORTS.split(',').map(Number);
  if (new Set(producerPorts).size < producerPorts.length || producerPorts.some((port) => port < 1 || port > 65_535)) {
    throw new Error(`PRODUCER_PORTS="${config.PRODUCER_PORTS}": expected different ports, 1 to 65535`);
  }
  const { SHUTDOWN_GRACE_MS } = readSettings(producerSettings, env);
  return {
    ...config,
    help: values.help ?? false,
    producerPorts,
    // Longer than the processes take of their own accord.
    stopLimitMs: SHUTDOWN_GRACE_MS + 5_000,
    databaseUrl:
      env['DATABASE_URL'] || env['DATABASE_URL_FILE'] ? readSettings(databaseSettings, env).DATABASE_URL : undefined,
    wordServiceUrl: env['WORD_SERVICE_URL'] || undefined,
    // The parts are given the URL itself. Empty, not undefined: what is not set a part reads from .env again.
    environment: { ...env, DATABASE_URL_FILE: '' },
  };
}

export const HELP = `Usage: npm start -- [--consumers N]

Starts a private MySQL, the word service, the producers, nginx and N consumers (default 2), and stops them all on Ctrl-C.
With --consumers 0 start them in other terminals: npm run consumer. The settings are environment variables; see README.md.
`;
