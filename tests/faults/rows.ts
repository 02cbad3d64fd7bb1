import { consumerRows } from './rows/consumers.ts';
import { producerRows } from './rows/producers.ts';
import type { FaultRow } from './run-row.ts';

/** The fault matrix, in the order of its numbers. */
export const rows: readonly FaultRow[] = [...producerRows, ...consumerRows].toSorted((a, b) =>
  a.id.localeCompare(b.id),
);
