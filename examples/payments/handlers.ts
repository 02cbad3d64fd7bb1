import { setTimeout as sleep } from 'node:timers/promises';
import { connectDatabase, defineHandlers, done, type HandlerInput, later } from '../../index.ts';
import { readWorkerConfig } from './config.ts';
import { createHealth } from './health.ts';
import { isRecorded, paymentSchema, type Receipt, recordPayment } from './payments.ts';
import { connectProcessor, type Processor } from './processors.ts';

const { DATABASE_URL, DEFAULT_PROCESSOR_URL, FALLBACK_PROCESSOR_URL, LONGEST_DELAY_MS } = readWorkerConfig();
// A payment may wait in a processor's queue for as long as another takes, before its own delay begins.
const SETTLE_MS = 2 * LONGEST_DELAY_MS + 1_000;
const db = connectDatabase({ url: DATABASE_URL });
const processors = {
  default: connectProcessor('default', DEFAULT_PROCESSOR_URL, SETTLE_MS),
  fallback: connectProcessor('fallback', FALLBACK_PROCESSOR_URL, SETTLE_MS),
};
const whoIsWell = createHealth(db, processors);

async function pay({ payload, attempt, waits, signal }: HandlerInput<Omit<Receipt, 'requestedAt'>>) {
  // Its client sent it twice, and the event before it, which has the same key, is filled.
  if (await isRecorded(db, payload.correlationId)) return { paid: 'before' };
  // An earlier attempt that did not end in later() may have sent it, and may have died before it wrote that down.
  if (attempt > waits + 1) {
    await sleep(SETTLE_MS, undefined, { signal });
    for (const processor of Object.values(processors)) {
      const receipt = await processor.find(payload.correlationId, signal);
      if (receipt) return record(processor, receipt);
    }
  }
  // The database is asked after the look: a consumer that is cut off from it sends nothing.
  for (const processor of await whoIsWell()) {
    const receipt = { ...payload, requestedAt: new Date().toISOString() };
    const sent = await processor.send(receipt, signal);
    if (sent === 'paid') return record(processor, receipt);
    if (sent === 'unknown') throw new Error(`nobody knows whether the ${processor.name} processor was paid`);
  }
  return later(1_000 + Math.random() * 1_000);
}

/** The row is committed together with the value of the event. */
function record({ name }: Processor, receipt: Receipt) {
  return done({ paid: name }, (trx) => recordPayment(trx, name, receipt));
}

export default defineHandlers({
  payment: { payload: paymentSchema, concurrency: 250, attempts: 1_000_000, retryDelayMs: 100, handle: pay },
});
