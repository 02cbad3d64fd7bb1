import type { ColumnType, Generated } from 'kysely';

/** The tables as init.sql defines them; a test holds the two against each other. */
export interface Schema {
  DBStatus: DBStatusTable;
  Events: EventsTable;
  IdempotencyKeys: IdempotencyKeysTable;
}

export interface DBStatusTable {
  id: number;
  singleton: Generated<number>;
}

export interface EventsTable {
  id: number;
  valor: string | null;
  processing: Generated<number>;
  claimed_by: string | null;
  attempts: Generated<number>;
  due_at: Date | null;
  created_at: Generated<Date>;
  filled_at: Date | null;
  last_error: string | null;
  open: ColumnType<1 | null, never, never>;
}

export interface IdempotencyKeysTable {
  idempotency_key: string;
  first_id: number;
  how_many: number;
  created_at: Generated<Date>;
}
