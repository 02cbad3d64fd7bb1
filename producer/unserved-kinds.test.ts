import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createEvents } from '../database/events/create.ts';
import { claimAll } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { reportUnservedKindsRound } from './unserved-kinds.ts';

const database = await useTestDatabase();
const { db } = database;

const fail = (error: unknown) => {
  throw error;
};

function startReport() {
  const reported: string[] = [];
  let last: readonly string[] = [];
  const look = async () => {
    last = await reportUnservedKindsRound({ db, onUnserved: (kind) => reported.push(kind), onError: fail }, last);
  };
  return { reported, look };
}

/** As if nobody had looked for any kind for longer than a minute. */
async function aMinutePasses(): Promise<void> {
  await database.letTimePass();
  await sql`UPDATE Events SET due_at = due_at - INTERVAL 2 MINUTE WHERE open = 1`.execute(db);
  await sql`UPDATE Kinds SET looked_at = looked_at - INTERVAL 2 MINUTE`.execute(db);
}

test('a kind whose events nobody asks for is reported once', async () => {
  const { reported, look } = startReport();
  await createEvents(db, [{ kind: 'email' }, { kind: 'report', delayMs: 3_600_000 }]);
  await look();
  expect(reported).toEqual([]);
  await aMinutePasses();
  for (let round = 0; round < 3; round++) await look();
  expect(reported).toEqual(['email', 'report']);
});

test('it is reported again when it was served meanwhile', async () => {
  const { reported, look } = startReport();
  await createEvents(db, [{ kind: 'email' }]);
  await aMinutePasses();
  await look();
  await claimAll(db, 'email');
  await look();
  await createEvents(db, [{ kind: 'email' }]);
  await aMinutePasses();
  await look();
  expect(reported).toEqual(['email', 'email']);
});

test('a look that fails says so, and forgets nothing that was reported', async () => {
  const errors: unknown[] = [];
  const gone = database.connect({ url: 'mysql://nobody:nothing@127.0.0.1:1/none', retryMs: 0 });
  const deps = { db: gone, onUnserved: fail, onError: (error: unknown) => errors.push(error) };
  expect(await reportUnservedKindsRound(deps, ['email'])).toEqual(['email']);
  expect(errors).toHaveLength(1);
});
