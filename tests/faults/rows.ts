import { consumerRows } from './rows/consumers.ts';
import { databaseRows } from './rows/database.ts';
import { effectRows } from './rows/effects.ts';
import { groupRows } from './rows/group.ts';
import { handlerRows } from './rows/handlers.ts';
import { keyRows } from './rows/keys.ts';
import { loadRows } from './rows/load.ts';
import { networkRows } from './rows/network.ts';
import { producerRows } from './rows/producers.ts';
import { soakRows } from './rows/soak.ts';
import { webhookRows } from './rows/webhook.ts';
import { wordServiceRows } from './rows/word-service.ts';
import type { FaultRow } from './run-row.ts';

/** The fault matrix, in the order of its numbers. */
export const rows: readonly FaultRow[] = [
  ...producerRows,
  ...consumerRows,
  ...databaseRows,
  ...effectRows,
  ...groupRows,
  ...handlerRows,
  ...keyRows,
  ...networkRows,
  ...webhookRows,
  ...wordServiceRows,
  ...loadRows,
  ...soakRows,
].toSorted((a, b) => a.id.localeCompare(b.id));
