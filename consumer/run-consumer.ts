import { randomBytes } from 'node:crypto';
import { CONSUMER_DEFAULTS, type ConsumerOptions } from './options.ts';
import { createJsonReport } from './report/json-report.ts';
import { runWorker } from './worker.ts';

const NEVER = new AbortController().signal;

/**
 * Fills events by `handler` until `signal` is aborted; resolves when it holds none any more. Start as many as you like,
 * in any process.
 *
 * @example await runConsumer({ db, handler: createWordHandler({ url }), signal });
 */
export async function runConsumer(options: ConsumerOptions): Promise<void> {
  const { name = 'consumer', report = createJsonReport('info', name), signal = NEVER } = options;
  const { handler, finishMs, ...given } = { ...CONSUMER_DEFAULTS, ...options };
  const giveUp = new AbortController();
  const giveUpLater = () => setTimeout(() => giveUp.abort(), finishMs).unref();
  signal.addEventListener('abort', giveUpLater, { once: true });
  // A name may repeat, also after a restart; what one consumer claims must never be another's.
  const consumer = `${name}.${process.pid}.${randomBytes(3).toString('hex')}`;
  await runWorker({ ...given, ...handler, report, consumer, giveUp: giveUp.signal }, signal);
  signal.removeEventListener('abort', giveUpLater);
}
