import { expect, test } from 'vitest';
import { readClusterConfig } from './config.ts';

test.each([
  [[], { name: 'start' }],
  [['status'], { name: 'status' }],
  [['kill', '1'], { name: 'kill', member: 1 }],
  [['switch', '3'], { name: 'switch', member: 3 }],
  [['--help'], { name: 'help' }],
])('%j', (args, command) => {
  expect(readClusterConfig(args).command).toEqual(command);
});

test.each([[['kill']], [['kill', '4']], [['kill', '0']], [['kill', '1', '2']], [['status', '1']], [['stop', '1']]])(
  '%j is no command',
  (args) => {
    expect(() => readClusterConfig(args)).toThrow('expected status, or one of kill, freeze, thaw, switch');
  },
);

test('the members listen on the ports after MYSQL_PORT', () => {
  const { ports, portsOfParts } = readClusterConfig([]);
  expect(ports).toEqual([3_317, 3_318, 3_319]);
  expect(portsOfParts.map(({ port }) => port)).toEqual(ports);
});
