import { EventEmitter } from 'node:events';
import type { Database } from '../connect.ts';
import type { NewEvent } from './create.ts';

interface Notices {
  /** Events were created, or are due now; which, if it is known. */
  created: [events?: readonly NewEvent[]];
  /** Events may be filled or dead; the table says which. */
  settled: [];
  filled: [events: readonly FilledEvent[]];
}

export interface FilledEvent {
  id: number;
  kind: string;
  /** As it was committed. */
  valor: string;
}

const noticesOf = new WeakMap<Database, EventEmitter<Notices>>();

/** What this process has done to the events of a database, so that nobody in the same process waits for a poll to see it. */
export function noticesFor(db: Database): EventEmitter<Notices> {
  let notices = noticesOf.get(db);
  if (!notices) noticesOf.set(db, (notices = new EventEmitter<Notices>().setMaxListeners(0)));
  return notices;
}
