/** Numbers that look random and are the same for the same seed, so that a run can be replayed. */
export interface Random {
  /** From 0 up to, but not, 1. */
  next: () => number;
  /** A whole number, both ends included. */
  between: (least: number, most: number) => number;
  chance: (probability: number) => boolean;
  pick: <T>(choices: readonly T[]) => T;
  /**
   * Numbers of their own, for one who draws at moments that nobody decides: a client, a proxy. So that what they draw
   * does not change what others get, and the schedule stays the same.
   */
  fork: () => Random;
}

/** mulberry32: 32 bits of state, and every seed is a good one. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (choices) => choices[between(0, choices.length - 1)]!,
    fork: () => createRandom(between(0, 2 ** 32 - 1)),
  };
}
