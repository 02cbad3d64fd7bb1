import type { ProcessorCost } from '../processor-cost.ts';
import type { Stage } from '../stage.ts';
import { postAtFullSpeed } from './wrk.ts';

/** A side for `interleave`: POSTs at full speed, and what each of them costs in the rounds that count. */
export function postingSide(
  { pick, signal }: Stage,
  url: string,
  warmUpSeconds: number,
  cost: ProcessorCost,
  connections?: number,
) {
  return async (isWarmUp: boolean): Promise<number> => {
    const seconds = pick(isWarmUp ? warmUpSeconds : 2, 1);
    const end = cost.begin();
    const rate = await postAtFullSpeed(url, seconds, signal, connections);
    if (!isWarmUp) end(rate * seconds);
    return rate;
  };
}
