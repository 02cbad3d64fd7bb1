import { connectDatabase } from '../../database/connect.ts';
import { createEvents } from '../../database/events/create.ts';
import { countEvents, findEvent } from '../../database/events/read.ts';
import { createApp } from '../../producer/app.ts';
import { readProducerConfig } from '../../producer/config.ts';
import { createLogger } from '../../producer/http/request-log.ts';
import { listen } from '../../producer/http/server.ts';

/** The producer in all but one thing: each create is a transaction of its own, ten of them at once. */
const config = readProducerConfig();
const db = connectDatabase({ url: config.DATABASE_URL, poolSize: 10 });
const app = createApp({
  createEvents: (events) => createEvents(db, events),
  waitFor: () => Promise.resolve(undefined),
  heldRequestLimit: 0,
  countEvents: () => countEvents(db),
  findEvent: (id) => findEvent(db, id),
  isDraining: () => false,
  logsAll: false,
  log: createLogger(config),
});
await listen(app, config.PORT, config.HOST);
