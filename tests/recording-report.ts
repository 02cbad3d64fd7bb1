import { vi } from 'vitest';
import type { Report } from '../consumer/report/report.ts';

/** Remembers what it was told. */
export function createRecordingReport() {
  return {
    filled: vi.fn<Report['filled']>(),
    failed: vi.fn<Report['failed']>(),
    released: vi.fn<Report['released']>(),
    locked: vi.fn<Report['locked']>(),
    handlerDown: vi.fn<Report['handlerDown']>(),
    handlerBack: vi.fn<Report['handlerBack']>(),
    databaseLost: vi.fn<Report['databaseLost']>(),
    databaseBack: vi.fn<Report['databaseBack']>(),
    trouble: vi.fn<Report['trouble']>(),
    note: vi.fn<Report['note']>(),
    warn: vi.fn<Report['warn']>(),
    flush: vi.fn<Report['flush']>(),
  } satisfies Report;
}
