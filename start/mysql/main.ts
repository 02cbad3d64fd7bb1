import { resolve } from 'node:path';
import { runMain } from '../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { asksForHelp, environmentHelp } from '../../process/settings-help.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { endChildren } from '../child-process.ts';
import { installPrograms, missingServer } from '../programs.ts';
import { localServerSettings } from './config.ts';
import { startWithSchema } from './start-with-schema.ts';

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
  const stop = new AbortController();
  const stopped = stopSignal(endChildren).then(() => stop.abort());
  await installPrograms(missingServer(MYSQL_PROGRAM), console.log);
  const directory = resolve(DATA_DIRECTORY, 'mysql');
  const program = MYSQL_PROGRAM || undefined;
  const server = await startWithSchema({ directory, port, program, say: console.log, signal: stop.signal });
  if (stop.signal.aborted) return;
  try {
    console.log(`${server.url()} is ready; Ctrl-C stops it`);
    const ended = await Promise.race([stopped, server.ended.then(() => 'ended' as const)]);
    if (ended === 'ended') throw new Error(`the server has ended by itself; see ${directory}/server.log`);
  } finally {
    await server.stop();
  }
}

runMain('mysql', main);
