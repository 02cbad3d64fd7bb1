import { resolve } from 'node:path';
import { connectDatabase } from '../../database/connect.ts';
import { loadSchema } from '../../database/load-schema.ts';
import { runMain } from '../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { asksForHelp, environmentHelp } from '../../process/settings-help.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { findProgram, installPrograms } from '../programs.ts';
import { localServerSettings } from './config.ts';
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
  const config = readSettings(localServerSettings, readEnvironment());
  const stopped = stopSignal();
  if (!config.MYSQL_PROGRAM && !findProgram('mysqld', 'mariadbd')) await installPrograms(['mariadbd'], console.log);
  const server = await startLocalServer({
    directory: resolve(config.DATA_DIRECTORY, 'mysql'),
    port: config.MYSQL_PORT,
    program: config.MYSQL_PROGRAM || undefined,
    say: console.log,
  });
  try {
    const db = connectDatabase({ url: server.url(), poolSize: 1 });
    await loadSchema(db);
    await db.destroy();
    console.log(`${server.url()} is ready; Ctrl-C stops it`);
    const ended = await Promise.race([stopped, server.ended.then(() => 'ended' as const)]);
    if (ended === 'ended') throw new Error('the server ended by itself; its log is in the data directory');
  } finally {
    await server.stop();
  }
}

runMain('mysql', main);
