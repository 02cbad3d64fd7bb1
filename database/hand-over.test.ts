import { expect, test } from 'vitest';
import { createHandOver } from './hand-over.ts';

function setUp() {
  const putAway: string[] = [];
  return { putAway, ...createHandOver<string>((thing) => putAway.push(thing)) };
}

test('whoever waits gets what is given back first, in the order of their coming, and what was made too late is put away', async () => {
  const { first, giveBack, putAway } = setUp();
  const made = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const got = made.map(({ promise }) => first(() => promise));
  giveBack('used');
  expect(await got[0]).toBe('used');
  made[0]!.resolve('made for the first'); // who needs it no more: the second still waits
  expect(await got[1]).toBe('made for the first');
  made[1]!.resolve('made for the second');
  await made[1]!.promise;
  expect(putAway).toEqual(['made for the second']);
  giveBack('used');
  expect(putAway).toEqual(['made for the second', 'used']);
});

test('who stands in another line is passed over, and still gets what comes there', async () => {
  const { first, giveBack, putAway } = setUp();
  const line = Promise.withResolvers<string>();
  const got = first((standInLine) => {
    standInLine();
    return line.promise;
  });
  giveBack('used');
  expect(putAway).toEqual(['used']);
  line.resolve('from the line');
  expect(await got).toBe('from the line');
});

test('a failure reaches who waits, unless something was given back before', async () => {
  const { first, giveBack, putAway } = setUp();
  await expect(first(() => Promise.reject(new Error('no server')))).rejects.toThrow('no server');
  const making = Promise.withResolvers<string>();
  const got = first(() => making.promise);
  giveBack('used');
  making.reject(new Error('no server'));
  expect(await got).toBe('used');
  giveBack('used');
  expect(putAway).toEqual(['used']);
});
