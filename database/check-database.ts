import { checkServer, type ServerReport } from './check-server.ts';
import type { Database } from './connect.ts';
import { claimEvents, lockEvents, lockNextEvents } from './events/claim.ts';
import { createEvents, createEventsOnce, forgetKeys } from './events/create.ts';
import { lookAtKeys } from './events/keys.ts';
import { addKinds } from './events/kinds.ts';
import { forgetLog } from './events/log.ts';
import { reviveEvents } from './events/operate.ts';
import { checkOutbox } from './events/outbox.ts';
import { countEvents, findSettledEvents } from './events/read.ts';
import {
  fillEvents,
  fillHeld,
  fillLocked,
  giveBackEvents,
  giveBackLocked,
  lockAllHeld,
  lockHeld,
  renewEvents,
} from './events/settle.ts';
import { checkSchemaVersion } from './schema-version.ts';
import { untilAvailable } from './until-available.ts';

/**
 * Does with no events what a process does with many, so that whatever would keep it from that is an error here. What
 * reads a table comes first: where the tables are missing, so are the routines.
 */
const CHECKS = {
  producer: async (db: Database) => {
    await findSettledEvents(db, []);
    await checkCreates(db);
    await countEvents(db);
    await forgetKeys(db, { olderThanMs: 0, limit: 0 });
    await reviveEvents(db, []);
  },
  consumer: async (db: Database) => {
    const nothing = { claimedBy: '', claims: [] };
    await fillEvents(db, nothing);
    await giveBackEvents(db, nothing);
    await renewEvents(db, { ...nothing, leaseMs: 0 });
    await claimEvents(db, { claimedBy: '', leaseMs: 0, kinds: [] });
    await addKinds(db, []);
    await lookAtKeys(db);
    await checkOutbox(db);
    await forgetLog(db, { olderThanMs: 0, limit: 0 });
    // What transactions of handlers are made of.
    const none = { kind: '', limit: 0, maxFailures: 0 };
    await lockEvents(db, { ...none, since: '2000-01-01' });
    await lockNextEvents(db, { ...none, after: [], nth: 1, payloadRoom: 0 });
    await fillLocked(db, nothing);
    await giveBackLocked(db, nothing);
    await lockHeld(db, '', { id: 0, attempt: 0 });
    await lockAllHeld(db, nothing);
    await fillHeld(db, nothing);
  },
};

/** Creates nothing, in every way there is. Rejects if creates would fail now; the message says what to do. */
export async function checkCreates(db: Database): Promise<void> {
  // Beside each other: a probe costs one round trip. The version explains what else fails.
  const others = Promise.all([createEvents(db, []), createEventsOnce(db, [])]);
  others.catch(() => {});
  await checkSchemaVersion(db);
  await others;
}

/** For a probe that everybody may ask: whoever comes while one check is under way gets its answer. */
export function createReadyCheck(db: Database): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= checkCreates(db).finally(() => {
      running = undefined;
    });
    return running;
  };
}

/**
 * Waits until the database does what a process of this kind asks of it. Resolves to what is worth saying of the server, to
 * undefined if `signal` is aborted. Rejects with what to do where waiting does not help.
 */
export function checkDatabase(
  db: Database,
  kind: 'producer' | 'consumer',
  signal: AbortSignal,
): Promise<ServerReport | undefined> {
  return untilAvailable(signal, async () => {
    const report = await checkServer(db);
    await checkSchemaVersion(db);
    await CHECKS[kind](db);
    return report;
  });
}
