import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { connectDatabase } from '../../index.ts';
import { runMain } from '../../process/run-main.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { createApi } from './api.ts';
import { readApiConfig } from './config.ts';
import { addDocs } from './docs.ts';
import { connectSource } from './source.ts';

/** The API of one system. */
runMain('orders', async () => {
  const { DATABASE_URL, PORT, SYSTEM, DUE_AFTER_MS } = readApiConfig();
  const db = connectDatabase({ url: DATABASE_URL });
  const source = connectSource(DATABASE_URL, SYSTEM);
  const app = createApi({ source, db, dueAfterMs: DUE_AFTER_MS });
  addDocs(app, `Orders of system ${SYSTEM}`);
  const server = serve({ fetch: app.fetch, port: PORT, hostname: '127.0.0.1' });
  await stopSignal();
  server.close();
  await once(server, 'close');
  await source.db.destroy();
  await db.destroy();
});
