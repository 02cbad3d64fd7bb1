import type { ColumnType, Generated } from 'kysely';

/** The tables as init.sql defines them; a test holds the two against each other. */
export interface Schema {
  DBStatus: DBStatusTable;
  Events: EventsTable;
  Kinds: KindsTable;
  EventPayloads: EventPayloadsTable;
  EventKeys: EventKeysTable;
  IdempotencyKeys: IdempotencyKeysTable;
  Outbox: OutboxTable;
  EventLog: EventLogTable;
  Installation: InstallationTable;
}

export interface DBStatusTable {
  id: number;
  singleton: Generated<number>;
}

export interface EventsTable {
  id: number;
  valor: string | null;
  processing: Generated<number>;
  kind: Generated<number>;
  claimed_by: Generated<string>;
  attempts: Generated<number>;
  lease_until: Generated<Date>;
  due_at: Date | null;
  failures: Generated<number>;
  waits: Generated<number>;
  created_at: Generated<Date>;
  filled_at: Date | null;
  last_error: string | null;
  dead_reason: string | null;
  padding: Generated<string>;
  open: ColumnType<1 | null, never, never>;
}

export interface KindsTable {
  id: number;
  name: string;
  paused: Generated<number>;
  looked_at: Generated<Date>;
}

export interface EventPayloadsTable {
  id: number;
  event_key: string | null;
  payload: string | null;
  trace: string | null;
  payload_bytes: number;
}

export interface EventKeysTable {
  event_key: string;
  id: number;
  own_due_at: Date;
}

export interface InstallationTable {
  singleton: Generated<number>;
  version: number;
  installation_id: Generated<string>;
  keys_looked_at: Generated<Date>;
}

export interface IdempotencyKeysTable {
  idempotency_key: string;
  first_id: number;
  how_many: number;
  created_at: Generated<Date>;
}

export interface OutboxTable {
  id: Generated<number>;
  event: string;
  problem: Generated<string | null>;
}

export interface EventLogTable {
  line: Generated<number>;
  id: number;
  attempt: number;
  started_at: Date | null;
  ended_at: Date;
  consumer: string;
  outcome: string;
  text: string | null;
  log_key: string | null;
}
