import { expect, test } from 'vitest';
import { readOperatorConfig } from './config.ts';

test.each([
  [['dead'], { name: 'dead', limit: 100, after: 0 }],
  [['dead', '--limit', '7', '--after', '9'], { name: 'dead', limit: 7, after: 9 }],
  [['show', '9007199254740991'], { name: 'show', id: Number.MAX_SAFE_INTEGER }],
  [['revive', '3', '1', '2'], { name: 'revive', ids: [3, 1, 2], outOfOrder: false }],
  [['revive', '7', '--out-of-order'], { name: 'revive', ids: [7], outOfOrder: true }],
  [['revive', '--all'], { name: 'revive all', outOfOrder: false }],
  [['revive', '--all', '--out-of-order'], { name: 'revive all', outOfOrder: true }],
  [['log'], { name: 'log', limit: 100 }],
  [
    ['log', '7', '--key', 'm-1', '--limit', '2', '--before', '9'],
    { name: 'log', id: 7, key: 'm-1', limit: 2, before: 9 },
  ],
  [['show', '--help'], { name: 'help' }],
])('%j is understood', (args, command) => {
  expect(readOperatorConfig(args, {})).toMatchObject({ command, json: false });
  expect(readOperatorConfig(['--json', ...args], {})).toMatchObject({ command, json: true });
});

test.each<[string[], RegExp]>([
  [[], /expected one of: dead, show ID, revive ID…, revive --all/],
  [['kill', '1'], /expected one of/],
  [['dead', '1'], /expected one of/],
  [['show'], /expected one of/],
  [['outbox', '1'], /expected one of/],
  [['outbox', '--after', '1'], /--after does not belong to outbox/],
  [['show', '1', '2'], /expected one of/],
  [['show', '1', '--key', 'x'], /--key does not belong to show/],
  [['log', '1', '2'], /expected one of/],
  [['log', '--before', '0'], /"0": expected --before, a whole number of 1 or more/],
  [['log', 'm-1'], /"m-1": expected an id/],
  [['revive'], /expected one of/],
  [['revive', '1', '--all'], /expected one of/],
  [['revive', '1', '--limit', '2'], /--limit does not belong to revive/],
  [['dead', '--out-of-order'], /--out-of-order does not belong to dead/],
  [['revive', '1', '01'], /"01": expected an id/],
  [['revive', '1', '1.0'], /"1.0": expected an id/],
  [['revive', '1', '1 OR 1=1'], /"1 OR 1=1": expected an id/],
  [['revive', '1', '9007199254740993'], /"9007199254740993": expected an id/],
  [['show', '0'], /"0": expected an id/],
  [['dead', '--limit', '0'], /"0": expected --limit, a whole number of 1 or more/],
  [['dead', '--limit'], /--limit/],
  [['revive', '1', '--force'], /--force/],
])('%j is refused', (args, why) => {
  expect(() => readOperatorConfig(args, {})).toThrow(why);
});
