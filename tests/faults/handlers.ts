import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineHandlers } from '../../handlers/define-handlers.ts';
import type { HandlerContext, HandlerEvent, Json } from '../../handlers/handler.ts';
import { done, later, type Result } from '../../handlers/outcome.ts';
import { webhook } from '../../handlers/webhook.ts';
import { createWordHandler } from '../../handlers/words.ts';
import { writeEffect } from './effects.ts';
import { EXIT_CODE, type Mark, type Task } from './runs.ts';

/** `consumer/main.ts --handlers handlers.ts`: each does what a payload says, and writes down its start and its end. */

const { RUNS_DIRECTORY, WORD_SERVICE_URL, WORD_ATTEMPT_MS = '5000', WEBHOOK_URL } = process.env;
const file = `${RUNS_DIRECTORY}/runs-${process.pid}`;

const PATIENT = { attempts: 1_000, retryDelayMs: 20 };
/** What is bad is soon dead. */
const STRICT = { attempts: 3, retryDelayMs: 20, timeoutMs: 500 };

// oxlint-disable-next-line import/no-default-export -- as a module of handlers has it
export default defineHandlers({
  word: { ...createWordHandler({ url: WORD_SERVICE_URL!, attemptMs: Number(WORD_ATTEMPT_MS) }), ...PATIENT },
  task: { ...PATIENT, concurrency: 20, handle: (event, context) => run(event, context) },
  bulk: {
    ...PATIENT,
    batch: 20,
    // An error that is thrown would be no event's fault.
    handleBatch: (events, context) => Promise.all(events.map((event) => run(event, context).catch(asError))),
  },
  done: {
    ...PATIENT,
    concurrency: 4,
    handle: (event, context) => run(event, context, (value) => done(value, (trx) => writeEffect(trx, event))),
  },
  transaction: {
    ...PATIENT,
    batch: 20,
    // No run is written down: a process that is frozen in it loses the event without a lease that ends.
    async inTransaction(event, trx) {
      await writeEffect(trx, event);
      return perform(event);
    },
  },
  trouble: { ...STRICT, handle: (event, context) => run(event, context) },
  hook: webhook(WEBHOOK_URL!, { attempts: 5, retryDelayMs: 50, timeoutMs: 1_000 }),
});

async function run(event: HandlerEvent, { signal }: HandlerContext, answer?: (value: Json) => Result): Promise<Result> {
  const { id, attempt } = event;
  const mark = (what: { began: true } | { ended: (Mark & { ended: unknown })['ended'] }) =>
    appendFileSync(file, `${JSON.stringify({ id, attempt, pid: process.pid, at: Date.now(), ...what })}\n`);
  mark({ began: true });
  const onAbort = () => mark({ ended: signal.reason.name === 'InterruptedError' ? 'interrupted' : 'overdue' });
  signal.addEventListener('abort', onAbort);
  try {
    const result = await perform(event, answer);
    mark({ ended: endingOf(event) });
    return result;
  } catch (error) {
    mark({ ended: 'failed' });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const asError = (error: Error) => error;

async function perform(event: HandlerEvent, answer: (value: Json) => Result = (value) => value): Promise<Result> {
  const { does, ms = 0 } = event.payload as Task;
  if (ms > 0 && does !== 'block') await sleep(ms);
  const value = answer({ id: event.id, attempt: event.attempt, pid: process.pid });
  switch (does) {
    case 'answer':
    case 'collide':
    case 'commit once':
      return value;
    case 'fail once':
      if (event.failures === 0) throw new Error('not the first time');
      return value;
    case 'wait twice':
      return event.waits < 2 ? later(10) : value;
    case 'throw':
      throw new Error('it always does');
    case 'exit':
      return process.exit(EXIT_CODE);
    case 'block':
      for (const until = Date.now() + ms; Date.now() < until; );
      return value;
    case 'hang':
      return new Promise<never>(() => {});
    case 'huge':
      return 'x'.repeat(10_000_000);
    case 'nonsense':
      return 10n as never;
  }
}

function endingOf({ payload, waits }: HandlerEvent) {
  const { does } = payload as Task;
  if (does === 'huge' || does === 'nonsense') return 'failed';
  return does === 'wait twice' && waits < 2 ? 'waits' : 'answered';
}
