import { connectDatabase } from '../../database/connect.ts';
import { createEvents } from '../../database/events/create.ts';
import { readProducerConfig } from '../../producer/config.ts';
import { toDatabaseOptions, toListenOptions, toProducerOptions } from '../../producer/from-config.ts';
import { listen } from '../../producer/http/server.ts';
import { createLog } from '../../producer/log.ts';
import { createProducer } from '../../producer/producer.ts';

/** The producer in all but one thing: each create is a transaction of its own, ten of them at once. */
const config = readProducerConfig();
const log = createLog(config);
const db = connectDatabase({ ...toDatabaseOptions(config, log), poolSize: 10 });
const { app } = createProducer({
  db,
  log,
  ...toProducerOptions(config),
  createEvents: (events) => createEvents(db, events),
});
await listen(app, toListenOptions(config));
