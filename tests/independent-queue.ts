import { sql } from 'kysely';
import { stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { type MainProcess, startProcess } from './main-process.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

export interface IndependentQueue extends AsyncDisposable {
  database: TestDatabase;
  producerPorts: number[];
  /** How many creates each producer has answered, by its port. */
  answered: Map<number, number>;
  /** SIGKILL of all its producers. */
  killProducers: () => Promise<void>;
  startProducers: () => Promise<void>;
}

/** A database of its own whose ids begin behind `startValue`, two producers and a consumer of words. */
export async function startIndependentQueue({
  startValue,
  wordServiceUrl,
}: {
  startValue: number;
  wordServiceUrl: string;
}): Promise<IndependentQueue> {
  const database = await createTestDatabase();
  await sql`UPDATE DBStatus SET id = ${startValue} WHERE id = 0`.execute(database.db);
  const producerPorts = [await freePort(), await freePort()];
  const answered = new Map(producerPorts.map((port) => [port, 0]));
  // A slow machine is no fault of a test.
  const env = { DATABASE_URL: database.url, WORD_SERVICE_URL: wordServiceUrl, CREATE_WAIT_MS: '5000' };
  let producers: MainProcess[] = [];
  const startProducers = async () => {
    producers = producerPorts.map((port) => {
      const producer = startProcess('producer/main.ts', { ...env, PORT: String(port), LOG_LEVEL: 'debug' });
      producer.child.stdout!.on('data', (lines: Buffer) => {
        answered.set(port, answered.get(port)! + lines.toString().split('"path":"/create-async"').length - 1);
      });
      return producer;
    });
    await Promise.all(producers.map(({ said }) => said(/listening on/)));
  };
  const consumer = startProcess('consumer/main.ts', env);
  await Promise.all([startProducers(), consumer.said(/filling events/)]);
  const stopAll = (signal: NodeJS.Signals) =>
    Promise.all(producers.map(({ child }) => stopProcess(child, 10_000, signal)));
  return {
    database,
    producerPorts,
    answered,
    killProducers: async () => void (await stopAll('SIGKILL')),
    startProducers,
    async [Symbol.asyncDispose]() {
      await Promise.all([stopAll('SIGKILL'), stopProcess(consumer.child, 10_000, 'SIGKILL')]);
      await database[Symbol.asyncDispose]();
    },
  };
}
