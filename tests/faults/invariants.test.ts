import { describe, expect, test } from 'vitest';
import type { Change } from './audit.ts';
import type { Effect } from './effects.ts';
import type { Evidence } from './evidence.ts';
import { type InvariantName, invariants } from './invariants.ts';
import type { Operation } from './ledger.ts';
import type { Run } from './runs.ts';

const CALL = { consumer: 'consumer-1', at: 0, words: 2 };

function created(id: number, more: Partial<Operation> = {}): Operation {
  return { kind: 'create-async', events: 1, sentAt: id, answeredAt: id + 0.5, outcome: 'ok', status: 202, id, ...more };
}

function notFound(id: number, sentAt: number): Operation {
  return { kind: 'find', id, events: 0, sentAt, answeredAt: sentAt + 0.5, outcome: 'failed', status: 404 };
}

function changed(id: number, what: Change['what'], more: Partial<Change> = {}): Change {
  const isSettled = what === 'filled';
  const rest = { attempts: 1, isSettled, leaseLeftMs: null, at: 10 * id, isolation: 'READ-COMMITTED' };
  return { id, what, valor: isSettled ? 'wb' : null, claimedBy: 'consumer-1.7.ab', ...rest, ...more };
}

function rowOf(id: number, more: Partial<Evidence['rows'][number]> = {}): Evidence['rows'][number] {
  const claim = { claimedBy: 'consumer-1.7.ab', attempts: 1, failures: 0 };
  return { id, kind: 'word', key: null, valor: 'wa', ...claim, isDead: 0, ...more };
}

/** Two runs of one key in their order, the first after a failure. */
function keyed(): Partial<Evidence> {
  const valor = (id: number, attempt: number) => JSON.stringify({ id, attempt, pid: 7 });
  return {
    rows: [
      rowOf(1, { kind: 'task', key: 'k', valor: valor(1, 2), attempts: 2, failures: 1 }),
      rowOf(2, { kind: 'bulk', key: 'k', valor: valor(2, 1) }),
    ],
    changes: [
      changed(1, 'claimed', { at: 1 }),
      changed(1, 'returned', { at: 12 }),
      changed(1, 'claimed', { at: 13, attempts: 2 }),
      changed(1, 'filled', { at: 22.5, attempts: 2, valor: valor(1, 2) }),
      changed(2, 'claimed', { at: 23 }),
      changed(2, 'filled', { at: 32, valor: valor(2, 1) }),
    ],
    runs: [
      { id: 1, attempt: 1, pid: 7, beganAt: 2, endedAt: 11, ended: 'failed' },
      { id: 1, attempt: 2, pid: 7, beganAt: 14, endedAt: 22, ended: 'answered' },
      { id: 2, attempt: 1, pid: 7, beganAt: 24, endedAt: 31, ended: 'answered' },
    ],
    operations: [created(1), created(2)],
  };
}

/** The same two as events with an effect, written in their order. */
function withEffects(...effects: [id: number, at: number][]): Partial<Evidence> {
  const { rows, ...rest } = keyed();
  return {
    ...rest,
    rows: [
      { ...rows![0]!, kind: 'done' },
      { ...rows![1]!, kind: 'transaction' },
    ],
    runs: [],
    effects: effects.map(([id, at]) => ({ id, attempt: id === 1 ? 2 : 1, pid: 7, at })),
  };
}

/** The same two, handled one after the other by one process before either is settled. */
function inOneTransaction(second: Partial<Effect> = {}): Partial<Evidence> {
  const { rows, effects, ...rest } = withEffects([1, 15], [2, 20]);
  return {
    ...rest,
    rows: rows!.map((row) => ({ ...row, kind: 'transaction' })),
    effects: [effects![0]!, { ...effects![1]!, ...second }],
  };
}

/** With another run in place of the n-th. */
function withRun(n: number, more: Partial<Run>): Partial<Evidence> {
  const evidence = keyed();
  return { ...evidence, runs: evidence.runs!.with(n, { ...evidence.runs![n]!, ...more }) };
}

/** Two events that were created, claimed together and filled, with nothing wrong. */
function innocent(): Evidence {
  return {
    operations: [
      created(1, { kind: 'create-sync', status: 201, word: 'wa' }),
      created(2),
      { kind: 'count', events: 0, sentAt: 3, answeredAt: 3.5, outcome: 'ok', status: 200, count: 2 },
    ],
    rows: [rowOf(1), rowOf(2, { valor: 'wb' })],
    counter: 2,
    changes: [
      changed(1, 'claimed'),
      changed(2, 'claimed'),
      changed(1, 'filled', { valor: 'wa' }),
      changed(2, 'filled'),
    ],
    issued: new Map([
      ['wa', CALL],
      ['wb', CALL],
    ]),
    runs: [],
    effects: [],
    exits: [{ part: 'consumer-1', why: 'stopped', code: 0, signal: null, ms: 40, graceMs: 10_000 }],
    lines: [{ at: 0, text: '{"msg":"filled"}' }],
    watched: { longestOverdueMs: 20, longTransactions: new Set() },
    connectionsLeft: 0,
    historyLength: 10,
    members: ['7 8', '7 8', '7 8'],
  };
}

function violations(evidence: Evidence): InvariantName[] {
  return (Object.keys(invariants) as InvariantName[]).filter((name) => invariants[name](evidence).length > 0);
}

test('a run with nothing wrong violates nothing', () => {
  expect(violations(innocent())).toEqual([]);
  expect(violations({ ...innocent(), ...keyed() })).toEqual([]);
  expect(violations({ ...innocent(), ...withEffects([1, 15], [2, 25]) })).toEqual([]);
  expect(violations({ ...innocent(), ...inOneTransaction() })).toEqual([]);
});

const KEY = { key: 'k' };

/** What breaks each invariant, and what else it breaks by its nature. */
const guilty: [InvariantName, string, (evidence: Evidence) => Partial<Evidence>, InvariantName[]?][] = [
  ['C1', 'an acknowledged row is gone', ({ operations }) => ({ operations: [...operations, created(3)] }), ['C6']],
  [
    'C2',
    'a row has no word',
    ({ rows, changes }) => ({ rows: [rows[0]!, { ...rows[1]!, valor: null }], changes: changes.slice(0, 3) }),
  ],
  ['C3', 'a word took the place of another', ({ changes }) => ({ changes: [...changes, changed(2, 'rewritten')] })],
  ['C3', 'a row was filled twice', ({ changes }) => ({ changes: [...changes, changed(2, 'filled')] })],
  ['C3', 'a word came from nowhere', ({ changes }) => ({ changes: changes.slice(0, 3) })],
  ['C4', 'nobody issued a word', ({ rows }) => ({ rows: [rows[0]!, { ...rows[1]!, valor: 'strange' }] })],
  ['C4', 'two rows have one word', ({ rows }) => ({ rows: [rows[0]!, { ...rows[1]!, valor: 'wa' }] })],
  [
    'C4',
    'a word was issued to another consumer',
    ({ rows }) => ({ rows: [rows[0]!, { ...rows[1]!, claimedBy: 'consumer-2.8.cd' }] }),
  ],
  [
    'C4',
    'a word was made for another claim',
    ({ rows }) => ({ rows: [rows[0]!, { ...rows[1]!, claimedBy: 'consumer-1.9.ab' }] }),
  ],
  [
    'C5',
    'an id was acknowledged twice',
    ({ operations }) => ({ operations: [...operations.slice(0, 2), created(2)] }),
    ['C6'],
  ],
  [
    'C6',
    'the count is too low',
    ({ operations }) => ({ operations: operations.map((one) => (one.kind === 'count' ? { ...one, count: 1 } : one)) }),
  ],
  [
    'C6',
    'the count is too high',
    ({ operations }) => ({ operations: operations.map((one) => (one.kind === 'count' ? { ...one, count: 3 } : one)) }),
  ],
  ['C6', 'the counter is ahead of the rows', () => ({ counter: 3 })],
  [
    'C6',
    'there is a row that nobody asked for',
    ({ operations }) => ({ operations: operations.filter(({ id }) => id !== 2 && id !== undefined) }),
  ],
  [
    'C6',
    'a create that is said to have failed is there',
    ({ operations }) => ({
      operations: operations.map((one) => (one.id === 2 ? { ...one, outcome: 'failed' as const } : one)),
    }),
  ],
  ['C7', 'one key has two ids', () => ({ operations: [created(1, KEY), created(2, KEY)] }), ['C6']],
  ['C7', 'one key has two rows', () => ({ operations: [created(1, KEY), created(1, { ...KEY, sentAt: 2 })] }), ['C6']],
  [
    'C8',
    'a caller was told another word',
    ({ operations }) => ({ operations: operations.map((one) => (one.id === 1 ? { ...one, word: 'other' } : one)) }),
  ],
  [
    'C9',
    'a request hung',
    ({ operations }) => ({ operations: [...operations, { ...created(3), outcome: 'unknown', isHung: true }] }),
  ],
  [
    'C9',
    'a connection was cut',
    ({ operations }) => ({ operations: [...operations, { ...created(3), outcome: 'unknown', isCut: true }] }),
  ],
  [
    'C9',
    'an answer is not documented',
    ({ operations }) => ({ operations: [...operations, { ...created(3), outcome: 'unknown', undocumented: '500' }] }),
  ],
  [
    'C9',
    'a request has no end',
    ({ operations }) => ({ operations: [...operations, { ...created(3), outcome: 'sent' }] }),
  ],
  ['C10', 'an event is stuck', () => ({ watched: { longestOverdueMs: 2_100, longTransactions: new Set() } })],
  [
    'C11',
    'a claim ignored a lease',
    ({ changes }) => ({ changes: [...changes, changed(2, 'claimed', { leaseLeftMs: 500 })] }),
  ],
  [
    'C11',
    'a claim that was taken over filled',
    ({ changes }) => ({
      changes: [
        ...changes.slice(0, 2),
        changed(2, 'claimed', { claimedBy: 'consumer-2.8.cd', leaseLeftMs: -1 }),
        ...changes.slice(2),
      ],
    }),
  ],
  ['C12', 'a process ended by itself', ({ exits }) => ({ exits: [{ ...exits[0]!, why: 'by itself', code: 1 }] })],
  ['C12', 'a process ended badly when told to', ({ exits }) => ({ exits: [{ ...exits[0]!, code: 1 }] })],
  ['C12', 'a process overstayed its grace', ({ exits }) => ({ exits: [{ ...exits[0]!, ms: 12_000 }] })],
  ['C12', 'a connection was left behind', () => ({ connectionsLeft: 1 })],
  [
    'C13',
    'a deadlock reached a client',
    () => ({ lines: [{ at: 0, text: '{"err":{"code":"ER_LOCK_DEADLOCK"},"msg":"request failed"}' }] }),
  ],
  ['C13', 'a transaction was long', () => ({ watched: { longestOverdueMs: 0, longTransactions: new Set(['421']) } })],
  [
    'C13',
    'an isolation level was another',
    ({ changes }) => ({ changes: [{ ...changes[0]!, isolation: 'REPEATABLE-READ' }, ...changes.slice(1)] }),
  ],
  ['C13', 'purge is far behind', () => ({ historyLength: 10_001 })],
  [
    'C4',
    'the value is of another claim',
    () => ({ ...keyed(), rows: keyed().rows!.with(1, { ...keyed().rows![1]!, attempts: 2 }) }),
  ],
  ['C14', 'two runs of a key overlap', () => withRun(1, { beganAt: 10 })],
  ['C14', 'a run begins while another of its key has no end', () => withRun(1, { beganAt: 25, endedAt: 26 })],
  ['C14', 'a later one of a key begins before the one before is settled', () => withRun(2, { beganAt: 21 })],
  ['C14', 'the effect of a later one of a key is written too early', () => withEffects([1, 15], [2, 20])],
  [
    'C14',
    'one of another transaction is written before that of the one before is settled',
    () => inOneTransaction({ pid: 8 }),
  ],
  ['C15', 'an effect is there twice', () => withEffects([1, 12], [1, 15], [2, 25])],
  ['C15', 'a filled event has no effect', () => withEffects([1, 15])],
  [
    'C15',
    'an effect is there without its fill',
    ({ rows, changes }) => ({
      rows: rows.with(1, rowOf(2, { kind: 'done', valor: null, isDead: 1 })),
      changes: changes.slice(0, 3),
      effects: [{ id: 2, attempt: 1, pid: 7, at: 1 }],
    }),
    ['C2'],
  ],
  ['C15', 'an event that writes nothing has an effect', () => ({ effects: [{ id: 1, attempt: 1, pid: 7, at: 1 }] })],
  [
    'C16',
    'a failure is not counted',
    () => ({ ...keyed(), rows: keyed().rows!.with(0, { ...keyed().rows![0]!, failures: 0 }) }),
  ],
  [
    'C16',
    'a failure is counted twice',
    () => ({ ...keyed(), rows: keyed().rows!.with(0, { ...keyed().rows![0]!, failures: 2 }) }),
  ],
  ['C16', 'a `later` is counted', () => withRun(0, { ended: 'waits' })],
  ['C16', 'what a process gave back as it ended is counted', () => withRun(0, { ended: 'interrupted' })],
  [
    'C16',
    'a lost lease is not counted',
    ({ changes }) => ({ changes: [...changes, changed(2, 'taken back', { leaseLeftMs: -1 })] }),
  ],
  ['C18', 'an acknowledged id is not found', ({ operations }) => ({ operations: [...operations, notFound(2, 3)] })],
  ['C19', 'a member has something else', () => ({ members: ['7 8', '7 8', '7 9'] })],
];

describe('each invariant sees what it is there for:', () => {
  test.each(guilty)('%s: %s', (name, _, change, alsoBroken = []) => {
    const evidence = innocent();
    expect(violations({ ...evidence, ...change(evidence) })).toEqual([name, ...alsoBroken].toSorted(byNumber));
  });

  test('and every one of them is tried', () => {
    expect(new Set(guilty.map(([name]) => name))).toEqual(new Set(Object.keys(invariants)));
  });
});

function byNumber(a: string, b: string): number {
  return Number(a.slice(1)) - Number(b.slice(1));
}
