import { resolve } from 'node:path';
import { runMain } from '../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { asksForHelp, environmentHelp } from '../../process/settings-help.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { endChildren } from '../child-process.ts';
import { installPrograms, missingServer } from '../programs.ts';
import { localServerSettings } from './config.ts';
import { loadSchemaAt } from './load-schema-at.ts';
import { startLocalServer } from './local-server.ts';

const USAGE = `Usage: npm run mysql

Starts a private MySQL or MariaDB and loads the schema. Ctrl-C stops it; the data stays.
`;

/** `npm run mysql`: the private server alone, until Ctrl-C. */
async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) {
    process.stdout.write(environmentHelp(USAGE, localServerSettings));
    return;
  }
  const { DATA_DIRECTORY, MYSQL_PORT: port, MYSQL_PROGRAM } = readSettings(localServerSettings, readEnvironment());
  const stopped = stopSignal(endChildren);
  await installPrograms(missingServer(MYSQL_PROGRAM), console.log);
  const directory = resolve(DATA_DIRECTORY, 'mysql');
  const server = await startLocalServer({ directory, port, program: MYSQL_PROGRAM || undefined, say: console.log });
  try {
    await loadSchemaAt(server.url());
    console.log(`${server.url()} is ready; Ctrl-C stops it`);
    const ended = await Promise.race([stopped, server.ended.then(() => 'ended' as const)]);
    if (ended === 'ended') throw new Error(`the server has ended by itself; see ${directory}/server.log`);
  } finally {
    await server.stop();
  }
}

runMain('mysql', main);
