import { resolve } from 'node:path';
import { toHandlers } from '../consumer/from-config.ts';
import { runMain } from '../process/run-main.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { checkPorts } from './check-ports.ts';
import { endChildren } from './child-process.ts';
import { helpText, readStartConfig } from './config.ts';
import { lineWriter } from './line-writer.ts';
import { makeFolder } from './mysql/data-folder.ts';
import { installPrograms, missingNginx, missingServer } from './programs.ts';
import { startSystem } from './start-system.ts';
import { systemParts } from './system-parts.ts';

/** `npm start`: the whole system in one terminal, until Ctrl-C. A second Ctrl-C ends us and our children at once. */
async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const config = readStartConfig(args);
  // Before anything is started: a consumer that cannot load its handlers would be started again for ever.
  const kinds = (await toHandlers(config)).kinds.map(({ kind }) => kind);
  const say = lineWriter('start');
  const stop = new AbortController();
  const stopped = stopSignal(endChildren).then(() => stop.abort());
  const startedAt = Date.now();
  await checkPorts(config.ports);
  const servers = config.databaseUrl ? [] : missingServer(config.MYSQL_PROGRAM);
  await installPrograms([...servers, ...missingNginx()], say);
  await makeFolder(resolve(config.DATA_DIRECTORY));
  const system = await startSystem(systemParts(config, kinds), say, stop.signal);
  if (!stop.signal.aborted) {
    say(`ready after ${((Date.now() - startedAt) / 1_000).toFixed(1)} s: http://localhost:${config.NGINX_PORT}/docs`);
    const event = kinds.includes('word') ? '' : ` -H 'Content-Type: application/json' -d '{"kind":"${kinds[0]}"}'`;
    say(`try: curl -X POST localhost:${config.NGINX_PORT}/create-sync${event}`);
  }
  await stopped;
  say('stopping');
  await system.stop();
  say('stopped');
}

runMain('start', main);
