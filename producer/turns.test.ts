import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

/** The pauses after these creates, of one event each; event 1 was ours. */
function pausesAfter(creates: readonly (readonly [firstId: number, waitedMs: number])[]): number[] {
  const turns = createTurns();
  turns.taken(1, 1, 0);
  return creates.map(([firstId, waitedMs]) => {
    turns.taken(firstId, 1, waitedMs);
    return turns.takePause(true);
  });
}

test('half of the time until its turn is waited here, while others create in between', () => {
  // It takes 4 ms until its turn, of which more and more are waited here.
  const creates = [
    [3, 4],
    [5, 2],
    [7, 2],
  ] as const;
  expect(pausesAfter(creates)).toEqual([2, 2, 2]);
});

test('nothing is waited for when nobody else creates, however long it took', () => {
  const creates = [
    [3, 4],
    [5, 2],
    [6, 2],
    [7, 0],
  ] as const;
  expect(pausesAfter(creates)).toEqual([2, 2, 0, 0]);
});

test('a pause is never long, whatever the clock says', () => {
  expect(pausesAfter([[7, 60_000]])).toEqual([5]);
  expect(pausesAfter([[7, -60_000]])).toEqual([0]);
});

test('the first create says nothing of others', () => {
  const turns = createTurns();
  turns.taken(7, 1, 4);
  expect(turns.takePause(true)).toBe(0);
});

test('a pause is taken once: what nothing is told of, as a create with a key, is not followed by another', () => {
  const turns = createTurns();
  turns.taken(1, 1, 0);
  turns.taken(3, 1, 60_000);
  expect([turns.takePause(true), turns.takePause(true)]).toEqual([5, 0]);
});

test('a pause that may not be taken does not count as time that was waited', () => {
  const turns = createTurns();
  turns.taken(1, 1, 0);
  turns.taken(3, 1, 4);
  expect(turns.takePause(false)).toBe(0);
  turns.taken(5, 1, 4);
  expect(turns.takePause(true)).toBe(2);
});
