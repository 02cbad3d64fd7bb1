import type { ProcessorCost } from '../processor-cost.ts';
import type { Stage } from '../stage.ts';
import { type FullSpeed, postAtFullSpeed } from './wrk.ts';

export interface Posting extends FullSpeed {
  url: string;
  warmUpSeconds: number;
  /** @default not noted */
  cost?: ProcessorCost;
}

/** A side for `interleave`: POSTs at full speed, and what each of them costs in the rounds that count. */
export function postingSide({ pick, signal }: Stage, { url, warmUpSeconds, cost, ...load }: Posting) {
  return async (isWarmUp: boolean): Promise<number> => {
    const seconds = pick(isWarmUp ? warmUpSeconds : 2, 1);
    const end = isWarmUp ? undefined : cost?.begin();
    const rate = await postAtFullSpeed(url, seconds, signal, load);
    end?.(rate * seconds);
    return rate;
  };
}
