import { resolve } from 'node:path';
import { loadScript } from '../database/load-script.ts';
import { runMain } from '../process/run-main.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { endChildren } from '../start/child-process.ts';
import { lineWriter } from '../start/line-writer.ts';
import { startWithSchema } from '../start/mysql/start-with-schema.ts';
import type { Part } from '../start/part.ts';
import { partEnvironment } from '../start/part-environment.ts';
import { installPrograms, missingNginx, missingServer } from '../start/programs.ts';
import { startSystem } from '../start/start-system.ts';
import { readExampleArgs } from './config.ts';
import type { Example } from './example.ts';
import { findExamples } from './find-examples.ts';
import { createStage, findPorts, SERVER_ARGS, type Stage } from './stage.ts';

/** `npm run example`: lists the examples, or starts one until Ctrl-C. */
async function main(args: string[]): Promise<void> {
  const asked = readExampleArgs(args, await findExamples());
  if (asked.list !== undefined) return void process.stdout.write(asked.list);
  const { name, example, command, env, DATA_DIRECTORY, MYSQL_PROGRAM } = asked;
  const say = lineWriter('example');
  const stop = new AbortController();
  const stopped = stopSignal(endChildren).then(() => stop.abort());
  await installPrograms([...missingServer(MYSQL_PROGRAM), ...missingNginx()], say);
  const directory = resolve(DATA_DIRECTORY, 'examples', name);
  const ports = await findPorts(['mysql', 'front', ...example.ports]);
  const stage = createStage({ directory, ports, env: partEnvironment(DATA_DIRECTORY, env) });
  const mysql: Part = {
    name: 'mysql',
    start: async (signal) => {
      const program = MYSQL_PROGRAM || undefined;
      const port = stage.port('mysql');
      const own = { directory: resolve(directory, 'mysql'), args: SERVER_ARGS };
      const server = await startWithSchema({ ...own, port, program, say, signal });
      if (!signal.aborted) await loadScript(new URL(`${name}/schema.sql`, import.meta.url), stage.databaseUrl('user'));
      return server;
    },
  };
  const system = await startSystem([[mysql], ...(command ? [] : example.parts(stage))], say, stop.signal);
  if (command) {
    // A Ctrl-C reaches it as well, and ends it.
    try {
      await stage.run(example.commands![command]!.main, 'user');
    } finally {
      await system.stop();
    }
    return;
  }
  if (!stop.signal.aborted) for (const line of linesOf(example, stage)) say(line);
  await stopped;
  say('stopping');
  await system.stop();
  say('stopped');
}

function linesOf(example: Example, stage: Stage): string[] {
  const front = example.hasFront ? [`front door: http://localhost:${stage.port('front')}`] : [];
  const ready = `ready; the tables are in ${stage.databaseUrl('user')}`;
  return [ready, ...front, 'try:', ...example.tries(stage), 'Ctrl-C stops everything; the data stays'];
}

runMain('example', main);
