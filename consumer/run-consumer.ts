import { randomBytes } from 'node:crypto';
import type { Database } from '../database/connect.ts';
import { addKinds } from '../database/events/kinds.ts';
import { readInstallationId } from '../database/installation.ts';
import { untilAvailable } from '../database/until-available.ts';
import type { Handlers } from '../handlers/handlers.ts';
import { runForgetLog } from './forget-log.ts';
import { runLooksAtKeys } from './look-at-keys.ts';
import { moveOutboxRound, runMoveOutbox } from './move-outbox.ts';
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
  const { finishMs, pollMs, once, leaseMs, logTtlMs } = { ...CONSUMER_DEFAULTS, ...options };
  const installationId = await untilAvailable(signal, () => signUp(db, handlers));
  if (installationId === undefined) return;
  const giveUp = new AbortController();
  const giveUpLater = () => setTimeout(() => giveUp.abort(), finishMs).unref();
  signal.addEventListener('abort', giveUpLater, { once: true });
  // A name may repeat, also after a restart; what one consumer claims must never be another's.
  const claimedBy = `${name}.${process.pid}.${randomBytes(3).toString('hex')}`;
  const deps: ConsumerDeps = {
    db,
    report,
    claimedBy,
    installationId,
    pollMs,
    once,
    leaseMs,
    logTtlMs,
    giveUp: giveUp.signal,
  };
  const done = new AbortController();
  // With `once`, what stands in the outbox is due as well.
  if (once) while (!signal.aborted && (await moveOutboxRound(deps)) === 0);
  const beside = [runLooksAtKeys(deps, done.signal), runMoveOutbox(deps, done.signal), runForgetLog(deps, done.signal)];
  await runWorker(deps, createWorkerState(deps, handlers.kinds), signal);
  done.abort();
  await Promise.all(beside);
  signal.removeEventListener('abort', giveUpLater);
}

/** Makes the handlers' kinds known; resolves to the id of the installation. */
async function signUp(db: Database, { kinds }: Handlers): Promise<string> {
  await addKinds(
    db,
    kinds.map(({ kind }) => kind),
  );
  return readInstallationId(db);
}
