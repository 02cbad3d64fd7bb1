import { randomBytes } from 'node:crypto';
import { addKinds } from '../database/events/kinds.ts';
import { readInstallationId } from '../database/installation.ts';
import { runLooksAtKeys } from './look-at-keys.ts';
import { CONSUMER_DEFAULTS, type ConsumerDeps, type ConsumerOptions } from './options.ts';
import { createJsonReport } from './report/json-report.ts';
import { createWorkerState, runWorker } from './worker.ts';

const NEVER = new AbortController().signal;

/**
 * Works on the events of the handlers' kinds until `signal` is aborted; resolves when it holds none. Start as many as you
 * like.
 *
 * @example await runConsumer({ db, handlers: defineHandlers({ email: async ({ payload }) => sendMail(payload) }), signal });
 */
export async function runConsumer(options: ConsumerOptions): Promise<void> {
  const { db, handlers, name = 'consumer', report = createJsonReport('info', name), signal = NEVER } = options;
  const { finishMs, pollMs, once, leaseMs } = { ...CONSUMER_DEFAULTS, ...options };
  if (signal.aborted) return;
  const giveUp = new AbortController();
  const giveUpLater = () => setTimeout(() => giveUp.abort(), finishMs).unref();
  signal.addEventListener('abort', giveUpLater, { once: true });
  // A name may repeat, also after a restart; what one consumer claims must never be another's.
  const claimedBy = `${name}.${process.pid}.${randomBytes(3).toString('hex')}`;
  const installationId = await readInstallationId(db);
  const deps: ConsumerDeps = {
    db,
    report,
    claimedBy,
    installationId,
    pollMs,
    once,
    leaseMs,
    giveUp: giveUp.signal,
  };
  await addKinds(
    db,
    handlers.kinds.map(({ kind }) => kind),
  );
  const done = new AbortController();
  const looking = runLooksAtKeys(deps, done.signal);
  await runWorker(deps, createWorkerState(deps, handlers.kinds), signal);
  done.abort();
  await looking;
  signal.removeEventListener('abort', giveUpLater);
}
