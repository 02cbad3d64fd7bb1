import { describe, expect, inject, test } from 'vitest';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';

/** The part of the fault matrix that belongs to every test run; `npm run test:faults` runs all of it, and longer. */
const SHORT_LIST = ['F05', 'F07', 'F14', 'F16', 'F18', 'F21', 'F30', 'F38', 'F57', 'F61', 'F62', 'F64'];

const seed = Math.floor(Math.random() * 1_000_000);

describe(`seed ${seed}`, () => {
  test.each(SHORT_LIST.map((id) => rows.find((row) => row.id === id)!))(
    '$id: $what; $bar',
    async (row) => {
      const servers = { serverUrl: inject('serverUrl'), freshServer: inject('freshServer') };
      const { violations } = await runRow(row, { seed, ...servers, isShort: true });
      expect(violations).toEqual([]);
    },
    180_000,
  );
});
