import { expect, test } from 'vitest';
import * as ofTheTable from '../database/events/limits.ts';
import * as ofHandlers from '../handlers/limits.ts';

test('handlers keep to the limits of the table, which they do not know', () => {
  expect(ofHandlers.KIND_PATTERN).toEqual(ofTheTable.KIND_PATTERN);
  expect(ofHandlers.DELAY_LIMIT_MS).toBe(ofTheTable.DELAY_LIMIT_MS);
});
