import { DELAY_LIMIT_MS } from './limits.ts';

const FIRST_DELAY_MS = 10_000;
const LONGEST_DELAY_MS = 600_000;

type RetryDelay = (failures: number) => number;

/** The pause after each failure as a function that never throws: a failure must be written down in any case. */
export function toRetryDelay(given: number | RetryDelay | undefined): RetryDelay {
  if (given === undefined) return doublingDelay;
  if (typeof given === 'number') return () => given;
  return (failures) => {
    try {
      const ms = given(failures);
      return Number.isFinite(ms) && ms >= 0 ? Math.min(Math.ceil(ms), DELAY_LIMIT_MS) : doublingDelay(failures);
    } catch {
      return doublingDelay(failures);
    }
  };
}

const doublingDelay: RetryDelay = (failures) => Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
