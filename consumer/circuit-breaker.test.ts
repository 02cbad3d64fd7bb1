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

test('is closed to begin with, and cannot be closed again', () => {
  const breaker = createCircuitBreaker();
  expect(breaker.state()).toBe('closed');
  expect(breaker.close()).toBe(false);
});

test('only the first failure opens it, and only the first success closes it', () => {
  const breaker = createCircuitBreaker();
  expect([breaker.open(ERROR), breaker.open(ERROR), breaker.open(ERROR)]).toEqual([true, false, false]);
  expect(breaker.state()).toBe('open');
  expect([breaker.close(), breaker.close()]).toEqual([true, false]);
  expect(breaker.state()).toBe('closed');
  expect(breaker.open(ERROR)).toBe(true);
});

test('the first trial comes after about a second, and then one every two seconds, however long it takes', () => {
  const breaker = createCircuitBreaker();
  for (const longest of [1_000, 2_000, 2_000, 2_000]) {
    breaker.open(ERROR);
    expect(breaker.pauseMs()).toBeLessThanOrEqual(longest);
    expect(breaker.pauseMs()).toBeGreaterThanOrEqual(longest * 0.8);
  }
  for (let n = 0; n < 10_000; n++) breaker.open(ERROR);
  expect(breaker.pauseMs()).toBeLessThanOrEqual(2_000);
});

test('the pause grows shorter as time goes by, and when it is over the breaker is half-open', () => {
  const breaker = createCircuitBreaker();
  breaker.open(ERROR);
  const pauseMs = breaker.pauseMs();
  vi.advanceTimersByTime(500);
  expect(breaker.pauseMs()).toBeCloseTo(pauseMs - 500);
  expect(breaker.state()).toBe('open');
  vi.advanceTimersByTime(60_000);
  expect(breaker.pauseMs()).toBe(0);
  expect(breaker.state()).toBe('half-open');
});

test('a trial that fails opens it again', () => {
  const breaker = createCircuitBreaker();
  breaker.open(ERROR);
  vi.advanceTimersByTime(60_000);
  expect(breaker.open(ERROR)).toBe(false);
  expect(breaker.state()).toBe('open');
});

test('once closed, it remembers nothing of the failures before', () => {
  const breaker = createCircuitBreaker();
  for (let n = 0; n < 5; n++) breaker.open(new SourceDownError(60_000));
  breaker.close();
  breaker.open(ERROR);
  expect(breaker.pauseMs()).toBeLessThanOrEqual(1_000);
});

describe('a handler that says how long it wants to be left alone', () => {
  test('is left alone for so long', () => {
    const breaker = createCircuitBreaker();
    breaker.open(new SourceDownError(30_000));
    expect(breaker.pauseMs()).toBe(30_000);
  });

  test('is not called more often than any other', () => {
    const breaker = createCircuitBreaker();
    breaker.open(new SourceDownError());
    expect(breaker.pauseMs()).toBeGreaterThanOrEqual(800);
  });
});
