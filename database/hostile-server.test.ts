import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { claimWords } from '../tests/claim-words.ts';
import { type ConnectToOwnServer, startOwnServer } from '../tests/own-server.ts';
import type { Database } from './connect.ts';
import { createEvents, createEventsOnce, forgetKeys } from './events/create.ts';
import { reviveAllDead } from './events/operate.ts';
import { countEvents, findEvent, findSettledEvents } from './events/read.ts';
import { fillEvents, giveBackEvents, renewEvents } from './events/settle.ts';
import { loadSchema } from './load-schema.ts';

// None of these may change what our statements do: the session has its own, or they are of no consequence.
const COMMON = [
  'autocommit = 0',
  "completion_type = 'CHAIN'",
  "sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
  "time_zone = '+05:30'",
  'group_concat_max_len = 1024',
  'sql_safe_updates = 1',
  'sql_select_limit = 1',
  'max_join_size = 1',
  'lock_wait_timeout = 31536000',
  'innodb_lock_wait_timeout = 1000000',
  'wait_timeout = 1',
  'unique_checks = 0',
  'foreign_key_checks = 0',
  'sql_auto_is_null = 1',
  'low_priority_updates = 1',
  'div_precision_increment = 0',
  'max_sp_recursion_depth = 0',
  'max_error_count = 0',
  'sql_notes = 0',
  'sql_buffer_result = 1',
  'big_tables = 1',
  'tmp_table_size = 1024',
  'max_heap_table_size = 16384',
  'max_sort_length = 64',
  'eq_range_index_dive_limit = 0',
  'auto_increment_increment = 7',
  'character_set_client = latin1',
  'character_set_connection = latin1',
  'character_set_results = latin1',
  'collation_connection = latin1_german1_ci',
  "session_track_system_variables = '*'",
  'session_track_state_change = 1',
  "default_storage_engine = 'MEMORY'",
  "init_connect = 'SET autocommit = 0, time_zone = ''-03:00'''",
  'innodb_deadlock_detect = 0',
];
const MYSQL = [
  "transaction_isolation = 'SERIALIZABLE'",
  'transaction_read_only = 1',
  'max_execution_time = 1',
  'cte_max_recursion_depth = 0',
  'range_optimizer_max_mem_size = 1',
  "internal_tmp_mem_storage_engine = 'MEMORY'",
  "default_collation_for_utf8mb4 = 'utf8mb4_general_ci'",
  'sql_require_primary_key = 1',
  "optimizer_switch = 'index_condition_pushdown=off,mrr_cost_based=off,batched_key_access=on,prefer_ordering_index=off'",
];
const MARIADB = [
  "tx_isolation = 'SERIALIZABLE'",
  'tx_read_only = 1',
  'max_statement_time = 0.0001',
  'check_constraint_checks = 0',
  'sql_if_exists = 1',
  'in_predicate_conversion_threshold = 2',
  'idle_transaction_timeout = 1',
  'innodb_snapshot_isolation = 1',
  'join_cache_level = 8',
  'old = 1',
  'tmp_disk_table_size = 1024',
  'max_recursive_iterations = 0',
  "optimizer_switch = 'index_condition_pushdown=off,mrr=on,mrr_sort_keys=on,derived_merge=off,extended_keys=off'",
];
// Of these some hide what others do.
const ALONE = ['autocommit = 0', "completion_type = 'CHAIN'", "completion_type = 'RELEASE'", "sql_mode = ''"];

const some = (count: number) => Array.from({ length: count }, () => ({}));
const VALOR = 'coração ✓ 日本 \\ \' " 😀';

/** Everything that an event can go through, 1,000 at a time, as the accounts of the processes. */
async function goThroughAll(connect: ConnectToOwnServer): Promise<void> {
  const producer = connect({ account: 'producer', statementTimeoutMs: 20_000 });
  const consumer = connect({ account: 'consumer', statementTimeoutMs: 20_000 });
  const first = await createEvents(producer, some(1_000));
  const request = [{ key: `order-${first}`, events: some(1_000) }];
  const once = await createEventsOnce(producer, request);
  expect(once.get(`order-${first}`)).toEqual({ firstId: first + 1_000, howMany: 1_000 });
  expect(await createEventsOnce(producer, request)).toEqual(once);
  expect(await countEvents(producer)).toBe(first + 1_999);

  const { claims } = await claimWords(consumer, { limit: 1_000 });
  expect(claims.map(({ id }) => id)).toEqual(some(1_000).map((_, n) => first + n));
  const { claims: others } = await claimWords(consumer, { claimedBy: 'b', limit: 1_000 });
  expect(others.map(({ id }) => id)).toEqual(some(1_000).map((_, n) => first + 1_000 + n));
  const fills = claims.map((claim) => ({ ...claim, valor: `${VALOR} ${claim.id}` }));
  expect((await fillEvents(consumer, { claimedBy: 'a', claims: fills })).written).toHaveLength(1_000);
  const settled = await findSettledEvents(producer, [first, first + 999, first + 1_000]);
  expect(settled.toSorted((a, b) => a.id - b.id)).toEqual([
    { id: first, kind: 'word', valor: `${VALOR} ${first}`, status: 'filled' },
    { id: first + 999, kind: 'word', valor: `${VALOR} ${first + 999}`, status: 'filled' },
  ]);

  const renewal = { claimedBy: 'b', claims: others, leaseMs: 60_000 };
  expect((await renewEvents(consumer, renewal)).written).toHaveLength(1_000);
  const released = others.slice(0, 400).map((claim) => ({ ...claim, outcome: 'released' as const }));
  expect(await giveBackEvents(consumer, { claimedBy: 'b', claims: released })).toMatchObject({ givenBack: 400 });
  const refused = others.slice(400).map((claim) => ({ ...claim, outcome: 'refused' as const, reason: 'não ✓' }));
  expect(await giveBackEvents(consumer, { claimedBy: 'b', claims: refused })).toMatchObject({ givenBack: 600 });
  expect(await findSettledEvents(producer, [others.at(-1)!.id])).toMatchObject([
    { status: 'dead', deadReason: 'não ✓' },
  ]);
  expect(await reviveAllDead(producer)).toEqual({ revived: 600, outOfOrder: 0 });
  const { claims: again } = await claimWords(consumer, { claimedBy: 'c', limit: 1_000 });
  expect(again.map(({ id }) => id)).toEqual(others.map(({ id }) => id));
  const rest = again.map((claim) => ({ ...claim, valor: 'mar' }));
  expect((await fillEvents(consumer, { claimedBy: 'c', claims: rest })).written).toHaveLength(1_000);
  expect(await forgetKeys(producer, { olderThanMs: 0, limit: 10 })).toBe(1);

  await goThroughKeys(producer, consumer);

  // Seen from another connection: all of it is committed.
  const { rows } = await sql<{ n: number }>`SELECT COUNT(*) AS n FROM Events WHERE valor <> ''`.execute(connect());
  expect(rows[0]!.n).toBe(first + 2_002);
  expect(await findEvent(connect(), first)).toMatchObject({ valor: `${VALOR} ${first}` });
  await Promise.all([producer.destroy(), consumer.destroy()]);
}

/** Three events of one key, with payloads, one after the other. */
async function goThroughKeys(producer: Database, consumer: Database): Promise<void> {
  const event = { kind: 'email', key: VALOR, payload: JSON.stringify(VALOR), trace: 'a-b' };
  const first = await createEvents(producer, [event]);
  await createEventsOnce(producer, [{ key: `keyed-${first}`, events: [event, event] }]);
  for (let id = first; id < first + 3; id++) {
    const { claims } = await claimWords(consumer, { kind: 'email' });
    expect(claims).toMatchObject([{ id, key: event.key, payload: event.payload, trace: 'a-b' }]);
    const fills = claims.map((claim) => ({ ...claim, valor: event.payload }));
    expect((await fillEvents(consumer, { claimedBy: 'a', claims: fills })).written).toHaveLength(1);
  }
  expect(await forgetKeys(producer, { olderThanMs: 0, limit: 10 })).toBe(1);
}

test('whatever a server’s configuration says, statements do what they say', async () => {
  const connect = await startOwnServer([
    '--loose-skip-character-set-client-handshake',
    '--character-set-server=latin1',
  ]);
  const admin = connect({ poolSize: 1 });
  await sql`SET SESSION sql_mode = ''`.execute(admin); // what is out of range becomes the nearest value
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(admin);
  const set = (assignment: string) => sql.raw(`SET GLOBAL ${assignment}`).execute(admin);

  for (const assignment of ALONE) {
    await set(assignment);
    await goThroughAll(connect);
    await set(`${assignment.split(' ')[0]} = DEFAULT`);
  }
  for (const assignment of [...COMMON, ...(rows[0]!.version.includes('MariaDB') ? MARIADB : MYSQL)]) {
    await set(assignment);
  }
  await loadSchema(connect());
  await goThroughAll(connect);
});
