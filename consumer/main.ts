import { checkDatabase } from '../database/check-database.ts';
import { connectDatabase } from '../database/connect.ts';
import { exitAfter, runMain } from '../process/run-main.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { helpText, readConsumerConfig } from './config.ts';
import { createReport, toConsumerOptions, toDatabaseOptions, toHandlers } from './from-config.ts';
import { runConsumer } from './run-consumer.ts';

async function main(args: string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const config = readConsumerConfig(args);
  const handlers = await toHandlers(config);
  const report = createReport(config);
  const stop = new AbortController();
  void stopSignal().then((name) => {
    report.note(`${name}: finishing the events in progress`);
    stop.abort();
    exitAfter(config.SHUTDOWN_GRACE_MS);
  });

  const db = connectDatabase(toDatabaseOptions(config, report, stop.signal));
  const server = await checkDatabase(db, 'consumer', stop.signal);
  if (server) report.note(server.summary);
  for (const warning of server?.warnings ?? []) report.warn(warning);

  const kinds = handlers.kinds.map(({ kind }) => kind).join(', ');
  report.note(`filling events as ${config.CONSUMER_NAME}: ${kinds}`);
  await runConsumer({ db, handlers, report, signal: stop.signal, ...toConsumerOptions(config) });
  await db.destroy();
  report.note('stopped');
  await report.flush();
  process.exit(0);
}

runMain('consumer', main);
