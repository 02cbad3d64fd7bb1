import { setImmediate as turn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { createBell } from './bell.ts';

const NEVER = new AbortController().signal;
const LONG_MS = 600_000;

test('a ring is heard whether it comes before the wait, during it, or with it, ten thousand times', async () => {
  const bell = createBell();
  for (let round = 0; round < 10_000; round++) {
    if (round % 3 === 0) bell.ring();
    const waiting = bell.wait(LONG_MS, NEVER);
    if (round % 3 === 1) bell.ring();
    if (round % 3 === 2) queueMicrotask(bell.ring);
    await waiting;
  }
});

test('one ring ends one wait', async () => {
  const bell = createBell();
  bell.ring();
  bell.ring();
  await bell.wait(LONG_MS, NEVER);
  const heard = vi.fn<() => void>();
  void bell.wait(LONG_MS, NEVER).then(heard);
  await turn();
  expect(heard).not.toHaveBeenCalled();
  bell.ring();
  await vi.waitFor(() => expect(heard).toHaveBeenCalled(), 20_000);
});

test('a wait ends by itself, and with its signal, which it then leaves alone', async () => {
  const bell = createBell();
  await bell.wait(1, NEVER);
  const stop = new AbortController();
  const waiting = bell.wait(LONG_MS, stop.signal);
  stop.abort();
  await waiting;
  await bell.wait(LONG_MS, stop.signal);
});

test('a wait of weeks is no wait of a millisecond', async () => {
  vi.useFakeTimers();
  try {
    const heard = vi.fn<() => void>();
    const bell = createBell();
    void bell.wait(50 * 86_400_000, NEVER).then(heard);
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(heard).not.toHaveBeenCalled();
    bell.ring();
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});
