import { once } from 'node:events';
import { expect, test } from 'vitest';
import { keepRunning } from './keep-running.ts';
import type { Part } from './part.ts';

const NEVER = new AbortController().signal;

/** A part that writes down its starts and stops. From the second start on it is ready when `ready` says so. */
function createPart(ready: (signal: AbortSignal) => Promise<unknown>) {
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const startsAgain = Promise.withResolvers<void>();
  const part: Part = {
    name: 'part',
    async start(signal) {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      let hasEnded = false;
      const end = () => {
        hasEnded = true;
        resolve();
      };
      const number = ends.push(end);
      log.push(`start ${number}`);
      if (number > 1) {
        startsAgain.resolve();
        await ready(signal);
      }
      const stop = async () => {
        if (!hasEnded) log.push(`stop ${number}`);
        end();
      };
      return { ended, stop };
    },
  };
  return { part, log, end: () => ends.at(-1)!(), startsAgain: startsAgain.promise };
}

test('a part that ends by itself is started again, and then stopped', async () => {
  const { part, log, end, startsAgain } = createPart(() => Promise.resolve());
  const running = await keepRunning(part, (line) => void log.push(line), NEVER);
  end();
  await startsAgain;
  await running.stop();
  expect(log).toEqual(['start 1', 'part ended unexpectedly and is started again in 1 s', 'start 2', 'stop 2']);
});

test('a part that heeds the signal while it is started again is stopped', async () => {
  const { part, log, end, startsAgain } = createPart((signal) => once(signal, 'abort'));
  const running = await keepRunning(part, () => {}, NEVER);
  end();
  await startsAgain;
  await running.stop();
  expect(log.at(-1)).toBe('stop 2');
});

test('a part that does not heed the signal while it is started again is stopped when it is ready', async () => {
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  const { part, log, end, startsAgain } = createPart(() => ready);
  const running = await keepRunning(part, () => {}, NEVER);
  end();
  await startsAgain;
  const stopping = running.stop();
  becomeReady();
  await stopping;
  expect(log.at(-1)).toBe('stop 2');
});

test('a part that cannot be started again while all stops is not waited for', async () => {
  const { part, end, startsAgain } = createPart((signal) =>
    once(signal, 'abort').then(() => Promise.reject(new Error('cannot start'))),
  );
  const lines: string[] = [];
  const running = await keepRunning(part, (line) => void lines.push(line), NEVER);
  end();
  await startsAgain;
  await running.stop();
  expect(lines.at(-1)).toBe('Error: cannot start');
});

test('a part that has ended is not started again once it is stopped', async () => {
  const { part, log, end } = createPart(() => Promise.resolve());
  const said = Promise.withResolvers<void>();
  const running = await keepRunning(part, () => said.resolve(), NEVER);
  end();
  await said.promise;
  await running.stop();
  expect(log).not.toContain('start 2');
});

test('a part that was stopped before it was ready has not ended unexpectedly', async () => {
  const { part, log, end } = createPart(() => Promise.resolve());
  const stop = new AbortController();
  const starting = keepRunning(part, (line) => void log.push(line), stop.signal);
  stop.abort();
  end();
  await (await starting).stop();
  expect(log).toEqual(['start 1']);
});
