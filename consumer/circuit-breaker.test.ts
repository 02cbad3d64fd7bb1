import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SourceDownError } from '../handlers/handler.ts';
import { createCircuitBreaker } from './circuit-breaker.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const ERROR = new Error('out of order');

test('there is no outage to begin with, and nothing to end', () => {
  const outage = createCircuitBreaker();
  expect(outage.pauseMs()).toBeUndefined();
  expect(outage.end()).toBe(false);
});

test('only the first failure begins an outage, and only the first success ends it', () => {
  const outage = createCircuitBreaker();
  expect([outage.begin(ERROR), outage.begin(ERROR), outage.begin(ERROR)]).toEqual([true, false, false]);
  expect([outage.end(), outage.end()]).toEqual([true, false]);
  expect(outage.pauseMs()).toBeUndefined();
  expect(outage.begin(ERROR)).toBe(true);
});

test('the source is tried again after about a second, and then every two seconds, however long it takes', () => {
  const outage = createCircuitBreaker();
  for (const most of [1_000, 2_000, 2_000, 2_000]) {
    outage.begin(ERROR);
    const pauseMs = outage.pauseMs();
    expect(pauseMs).toBeLessThanOrEqual(most);
    expect(pauseMs).toBeGreaterThanOrEqual(most * 0.8);
  }
  for (let n = 0; n < 10_000; n++) outage.begin(ERROR);
  expect(outage.pauseMs()).toBeLessThanOrEqual(2_000);
});

test('the pause grows shorter as time goes by, and is 0 when the source may be tried', () => {
  const outage = createCircuitBreaker();
  outage.begin(ERROR);
  const pauseMs = outage.pauseMs()!;
  vi.advanceTimersByTime(500);
  expect(outage.pauseMs()).toBeCloseTo(pauseMs - 500);
  vi.advanceTimersByTime(60_000);
  expect(outage.pauseMs()).toBe(0);
});

test('an outage that has ended leaves no trace on the next one', () => {
  const outage = createCircuitBreaker();
  for (let n = 0; n < 5; n++) outage.begin(new SourceDownError('busy', 60_000));
  outage.end();
  outage.begin(ERROR);
  expect(outage.pauseMs()).toBeLessThanOrEqual(1_000);
});

describe('a source that says how long it wants to be left alone', () => {
  test('is left alone for so long', () => {
    const outage = createCircuitBreaker();
    outage.begin(new SourceDownError('busy', 30_000));
    expect(outage.pauseMs()).toBe(30_000);
  });

  test('is not called more often than any other', () => {
    const outage = createCircuitBreaker();
    outage.begin(new SourceDownError('busy', 0));
    expect(outage.pauseMs()).toBeGreaterThanOrEqual(800);
  });
});
