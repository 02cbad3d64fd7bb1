import { connectDatabase } from '../database/connect.ts';
import { flushLog } from '../process/json-log.ts';
import { exitAfter, runMain } from '../process/run-main.ts';
import { asksForHelp } from '../process/settings-help.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { helpText, readProducerConfig } from './config.ts';
import { toCloseOptions, toDatabaseOptions, toListenOptions, toProducerOptions } from './from-config.ts';
import { closeServer } from './http/close-server.ts';
import { listen, portOf } from './http/server.ts';
import { createLog } from './log.ts';
import { createProducer } from './producer.ts';

async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) return void process.stdout.write(helpText());
  const config = readProducerConfig();
  const log = createLog(config);
  const stopped = stopSignal();
  const stop = new AbortController();

  const db = connectDatabase(toDatabaseOptions(config, log));
  const producer = createProducer({ db, log, ...toProducerOptions(config) });
  const server = await listen(producer.app, toListenOptions(config));
  const running = producer.run(stop.signal);
  log.info(`listening on http://${config.HOST}:${portOf(server)}`);

  const why = await Promise.race([stopped, running.then(() => stopped)]);
  log.info(`${why}: answering what is under way`);
  exitAfter(config.SHUTDOWN_GRACE_MS);
  const closing = { listeningEnded: producer.drain, letGo: () => stop.abort() };
  await closeServer(server, { ...toCloseOptions(config), ...closing });
  await running;
  await db.destroy();
  log.info('stopped');
  await flushLog(log);
  process.exit(0);
}

runMain('producer', main);
