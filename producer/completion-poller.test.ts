import { getEventListeners } from 'node:events';
import * as fc from 'fast-check';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { noticesFor } from '../database/events/notices.ts';
import type { SettledEvent } from '../database/events/read.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createCompletionPoller } from './completion-poller.ts';

const database = await useTestDatabase();
const { db } = database;
/** What the poller uses. One connection, so that its session counts every look. */
const single = database.connect({ poolSize: 1 });

const POLL_MS = 20;

function startPoller(on = single) {
  const errors: unknown[] = [];
  const poller = createCompletionPoller({ db: on, pollMs: POLL_MS, onError: (error) => errors.push(error) });
  const controller = new AbortController();
  const running = poller.run(controller.signal);
  const stop = () => {
    controller.abort();
    return running;
  };
  onTestFinished(stop);
  return { ...poller, errors, stop };
}

/** A client that stays. */
const staying = () => new AbortController().signal;

const createPending = (count: number) =>
  createEvents(
    db,
    Array.from({ length: count }, () => ({})),
  );

/** Fills every event with a word that bears its id. */
const fillAll = () => sql`UPDATE Events SET valor = CONCAT('palavra ', id)`.execute(db);

/** How often the table was looked at. */
async function looks(): Promise<number> {
  const { rows } = await sql<{ Value: string }>`SHOW SESSION STATUS LIKE 'Com_select'`.execute(single);
  return Number(rows[0]!.Value);
}

/** Resolves when another poller of the same pace has looked three times: by then the first one's time has come, too. */
async function ticksPass(): Promise<void> {
  const clock = startPoller(db);
  const id = await createPending(1);
  await sql`UPDATE Events SET valor = 'tique' WHERE id = ${id}`.execute(db);
  for (let tick = 1; tick <= 3; tick++) await clock.waitFor(id, staying());
}

describe('one query for all who wait', () => {
  test('a thousand filled events are told to a thousand waiting by a single look', async () => {
    const { waitFor, size } = startPoller();
    await createPending(1_000);
    await fillAll();
    const before = await looks();
    const answers = Array.from({ length: 1_000 }, (_, index) => waitFor(index + 1, staying()));
    expect(size()).toBe(1_000);
    const events = await Promise.all(answers);
    expect((await looks()) - before).toBe(1);
    expect(events).toEqual(
      events.map((_, n) => ({ id: n + 1, kind: 'word', valor: `palavra ${n + 1}`, status: 'filled' })),
    );
    expect(size()).toBe(0);
  });

  test('what a consumer of this process has filled is told at once, and nobody looks for it', async () => {
    const poller = createCompletionPoller({ db: single, pollMs: 600_000, onError: console.error });
    const before = await looks();
    const filled = { kind: 'job', valor: '{"done":true}' };
    const answers = [7, 7, 8].map((id) => poller.waitFor(id, staying()));
    const stop = new AbortController();
    const running = poller.run(stop.signal);
    noticesFor(single).emit(
      'filled',
      [7, 9].map((id) => ({ id, ...filled })),
    );
    expect(await Promise.all(answers.slice(0, 2))).toEqual([7, 7].map((id) => ({ id, ...filled, status: 'filled' })));
    expect(poller.size()).toBe(1);
    stop.abort();
    await running;
    expect((await looks()) - before).toBe(0);
  });

  test('while they wait the table is looked at once a tick, however many they are', async () => {
    const { waitFor } = startPoller();
    await createPending(1_000);
    const before = await looks();
    const startedAt = performance.now();
    const answers = Array.from({ length: 1_000 }, (_, index) => waitFor(index + 1, staying()));
    await expect.poll(async () => (await looks()) - before).toBeGreaterThan(3);
    await fillAll();
    await Promise.all(answers);
    expect((await looks()) - before).toBeLessThanOrEqual((performance.now() - startedAt) / POLL_MS + 1);
  });

  test('the first who comes after a pause is told in half a tick, the next ones not before a tick is over', async () => {
    const pollMs = 1_000;
    const poller = createCompletionPoller({ db: single, pollMs, onError: console.error });
    const stop = new AbortController();
    const running = poller.run(stop.signal);
    await createPending(2);
    await fillAll();
    const since = performance.now();
    await poller.waitFor(1, staying());
    expect(performance.now() - since).toBeLessThan(pollMs);
    await poller.waitFor(2, staying());
    expect(performance.now() - since).toBeGreaterThan(1.45 * pollMs);
    stop.abort();
    await running;
  });

  test('the table is not looked at while nobody waits, and again when somebody does', async () => {
    const { waitFor } = startPoller();
    const id = await createPending(1);
    await fillAll();
    const before = await looks();
    await ticksPass();
    expect((await looks()) - before).toBe(0);
    await waitFor(id, staying());
    await ticksPass();
    expect((await looks()) - before).toBe(1);
    await waitFor(id, staying());
    expect((await looks()) - before).toBe(2);
  });

  test('the table is not looked at when all who waited have left before the first look', async () => {
    const { waitFor } = startPoller();
    const id = await createPending(1);
    const client = new AbortController();
    const before = await looks();
    const answer = waitFor(id, client.signal);
    client.abort();
    await answer;
    await ticksPass();
    expect((await looks()) - before).toBe(0);
  });
});

describe('waiting for an event', () => {
  test('ends when it is filled, and no sooner', async () => {
    const { waitFor, size } = startPoller();
    await createPending(2);
    const answers = [waitFor(1, staying()), waitFor(2, staying())];
    await ticksPass();
    expect(size()).toBe(2);
    await sql`UPDATE Events SET valor = 'dois' WHERE id = 2`.execute(db);
    expect(await answers[1]).toEqual({ id: 2, kind: 'word', valor: 'dois', status: 'filled' });
    expect(size()).toBe(1);
    await fillAll();
    expect(await answers[0]).toEqual({ id: 1, kind: 'word', valor: 'palavra 1', status: 'filled' });
  });

  test('ends when it is dead', async () => {
    const { waitFor } = startPoller();
    await createPending(1);
    const answer = waitFor(1, staying());
    await sql`UPDATE Events SET due_at = NULL`.execute(db);
    expect(await answer).toEqual({ id: 1, kind: 'word', valor: null, status: 'dead', deadReason: null });
  });

  test.each([
    ['its row is deleted', () => sql`DELETE FROM Events WHERE id = 1`],
    ['the table is emptied', () => sql`TRUNCATE TABLE Events`],
  ])('ends as gone when %s', async (_, remove) => {
    const { waitFor, size } = startPoller();
    await createPending(1);
    const answer = waitFor(1, staying());
    await ticksPass();
    await remove().execute(db);
    expect(await answer).toEqual({ id: 1, valor: null, status: 'gone' });
    expect(size()).toBe(0);
  });

  test('ends with nothing when the client leaves, and disturbs nobody else', async () => {
    const { waitFor, size } = startPoller();
    await createPending(2);
    const client = new AbortController();
    const [left, stayed] = [waitFor(1, client.signal), waitFor(2, staying())];
    client.abort();
    expect(size()).toBe(1);
    expect(await left).toBeUndefined();
    await fillAll();
    expect(await stayed).toMatchObject({ id: 2, status: 'filled' });
  });

  test('ends with nothing at once for a client that has left already', async () => {
    const { waitFor, size } = startPoller();
    await createPending(1);
    const answer = waitFor(1, AbortSignal.abort());
    expect(size()).toBe(0);
    expect(await answer).toBeUndefined();
  });

  test('ends with nothing after its limit', async () => {
    const { waitFor, size } = startPoller();
    await createPending(1);
    const startedAt = performance.now();
    expect(await waitFor(1, staying(), 100)).toBeUndefined();
    expect(performance.now() - startedAt).toBeGreaterThan(98);
    expect(size()).toBe(0);
  });

  test('lasts as long as a limit that is longer than a timer can be', async () => {
    const { waitFor } = startPoller();
    await createPending(1);
    await fillAll();
    expect(await waitFor(1, staying(), 2 ** 31)).toMatchObject({ status: 'filled' });
  });

  test('is possible for two at once, and each is told', async () => {
    const { waitFor } = startPoller();
    await createPending(1);
    const told: (SettledEvent | undefined)[] = [];
    for (let n = 1; n <= 2; n++) void waitFor(1, staying()).then((event) => told.push(event));
    await fillAll();
    await expect.poll(() => told.map((event) => event?.status)).toEqual(['filled', 'filled']);
  });

  test('leaves no timer behind, and nothing on the signal', async () => {
    const { waitFor } = startPoller();
    await createPending(100);
    await fillAll();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const signal = staying();
    await Promise.all(Array.from({ length: 100 }, (_, index) => waitFor(index + 1, signal, 600_000)));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(timers()).toBeLessThan(before + 50);
  });
});

test('whoever waits, leaves and is filled in whatever order is told exactly once, and only the truth', async () => {
  const { waitFor, size } = startPoller();
  const step = fc.record({ event: fc.nat(4), action: fc.constantFrom('wait', 'wait briefly', 'leave', 'fill') });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const first = await createPending(5);
      const callers: { id: number; controller: AbortController; answers: number; answer: Promise<unknown> }[] = [];
      const filled = new Set<number>();
      for (const { event, action } of steps) {
        const id = first + event;
        if (action === 'fill') {
          await sql`UPDATE Events SET valor = CONCAT('palavra ', id) WHERE id = ${id}`.execute(db);
          filled.add(id);
        } else if (action === 'leave') {
          callers.findLast((caller) => caller.id === id)?.controller.abort();
        } else {
          const controller = new AbortController();
          const limitMs = action === 'wait' ? Infinity : 5;
          const caller = { id, controller, answers: 0, answer: Promise.resolve() as Promise<unknown> };
          caller.answer = waitFor(id, controller.signal, limitMs).then((settled) => {
            caller.answers++;
            return settled;
          });
          callers.push(caller);
        }
      }
      // Those whose event is not filled would wait for ever.
      for (const { id, controller } of callers) if (!filled.has(id)) controller.abort();
      for (const { id, answer } of callers) {
        const settled = await answer;
        if (settled !== undefined)
          expect(settled).toEqual({ id, kind: 'word', valor: `palavra ${id}`, status: 'filled' });
      }
      expect(callers.map(({ answers }) => answers)).toEqual(callers.map(() => 1));
      expect(size()).toBe(0);
    }),
    { numRuns: 40 },
  );
});

describe('the loop', () => {
  test('lets everybody go when it is stopped, and comes to an end', async () => {
    const { waitFor, size, stop } = startPoller();
    await createPending(3);
    const answers = [1, 2, 3].map((id) => waitFor(id, staying()));
    await stop();
    expect(await Promise.all(answers)).toEqual([undefined, undefined, undefined]);
    expect(size()).toBe(0);
  });

  test('lets everybody go at once when it is stopped, though a look is under way and hangs', async () => {
    const busy = database.connect({ poolSize: 1, queueWaitMs: 60_000 });
    let isOver = false;
    const long = sql`DO SLEEP(3)`.execute(busy).then(() => {
      isOver = true;
    });
    const { waitFor, stop } = startPoller(busy);
    await createPending(1);
    const answer = waitFor(1, staying());
    await ticksPass();
    void stop();
    expect(await answer).toBeUndefined();
    expect(isOver).toBe(false);
    await long;
  });

  test('comes to an end also when nobody ever waited', async () => {
    await startPoller().stop();
  });

  test('holds nobody who comes after it was stopped', async () => {
    const { waitFor, size, stop } = startPoller();
    await createPending(1);
    await stop();
    void waitFor(1, staying());
    expect(size()).toBe(0);
  });

  test('goes on after a look that failed, and says why it failed', async () => {
    const { waitFor, errors } = startPoller();
    await createPending(1);
    await fillAll();
    await sql`RENAME TABLE Events TO EventsAway`.execute(db);
    const answer = waitFor(1, staying());
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    expect(errors[0]).toMatchObject({ name: 'DatabaseError', code: 'ER_NO_SUCH_TABLE' });
    await sql`RENAME TABLE EventsAway TO Events`.execute(db);
    expect(await answer).toMatchObject({ status: 'filled' });
  });
});
