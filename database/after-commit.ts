import type { Database } from './connect.ts';

export type Act = (db: Database) => Promise<unknown>;

const actsOf = new WeakMap<object, Act[]>();

/** Has something done once the transaction of a handler is committed; nothing for a `trx` that is none of ours. */
export function afterCommit(trx: object, act: Act): void {
  actsOf.get(trx)?.push(act);
}

/** Where what is to be done after the commit of `trx` is collected. */
export function collectActs(trx: object, acts: Act[]): void {
  actsOf.set(trx, acts);
}
