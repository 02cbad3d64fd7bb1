import { connectDatabase, createProducer } from '../../index.ts';
import { runMain } from '../../process/run-main.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { createApi } from './api.ts';
import { readApiConfig } from './config.ts';
import { serveUntil } from './serve-until.ts';

runMain('payments', async () => {
  const { DATABASE_URL, PORT } = readApiConfig();
  const db = connectDatabase({ url: DATABASE_URL });
  await serveUntil(stopSignal(), createApi(db, createProducer({ db })), PORT);
  await db.destroy();
});
