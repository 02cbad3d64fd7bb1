import { EventEmitter } from 'node:events';
import type { Database } from '../connect.ts';

interface Notices {
  /** Events were created. */
  created: [];
  /** Events were filled, or are dead. */
  settled: [];
}

const noticesOf = new WeakMap<Database, EventEmitter<Notices>>();

/** What this process does to the events of a database, so that nobody in the same process waits for a poll to see it. */
export function noticesFor(db: Database): EventEmitter<Notices> {
  let notices = noticesOf.get(db);
  if (!notices) noticesOf.set(db, (notices = new EventEmitter<Notices>().setMaxListeners(0)));
  return notices;
}
