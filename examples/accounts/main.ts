import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { connectDatabase, createProducer, runConsumer } from '../../index.ts';
import { runMain } from '../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { createApi } from './api.ts';
import { accountsSettings } from './config.ts';
import handlers from './handlers.ts';

/** Creates the events and handles them. Start as many as you like: any of them may handle what another has created. */
async function main(): Promise<void> {
  const { DATABASE_URL, PORT, WAIT_MS } = readSettings(accountsSettings, readEnvironment());
  const stopped = stopSignal();
  const stop = new AbortController();
  // Each connection costs the server memory for the routines that it has called, and three are enough.
  const db = connectDatabase({ url: DATABASE_URL, poolSize: 3 });
  // The other process may fill the event, and this one hears of it at a poll. At 5 ms, polls took a fifth of the processor time.
  const producer = createProducer({ db, syncPollMs: 25, createWaitMs: WAIT_MS });
  const app = createApi({ db, producer, waitMs: WAIT_MS });
  // So long does a killed process keep the account of an event that it handled alone.
  const leaseMs = 5_000;
  const working = Promise.all([
    producer.run(stop.signal),
    runConsumer({ db, handlers, signal: stop.signal, name: `accounts-${PORT}`, leaseMs }),
  ]);
  // Longer than nginx keeps a connection: so it is never closed while a request is on its way into it.
  const serverOptions = { keepAliveTimeout: 65_000 };
  const server = serve({ fetch: app.fetch, port: PORT, hostname: '127.0.0.1', serverOptions });
  await Promise.race([stopped, working]);
  server.close();
  await once(server, 'close');
  stop.abort();
  await working;
  await db.destroy();
  process.exit(0);
}

runMain('accounts', main);
