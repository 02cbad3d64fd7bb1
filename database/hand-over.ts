export interface HandOver<T> {
  /**
   * Resolves to what `get` gets or to what is given back meanwhile, whichever is there first; rejects if `get` does before
   * that. `standInLine`, once called, leaves what is given back to others: then `get` waits in a line of its own.
   */
  first: (get: (standInLine: () => void) => Promise<T>) => Promise<T>;
  /** To whoever has waited longest, else put away. */
  giveBack: (thing: T) => void;
}

/**
 * For connections, which take long to make: over a slow network several round trips, each for a statement that another
 * connection could have taken long before. One that was made and is needed no more is given back as well.
 */
export function createHandOver<T>(putAway: (thing: T) => void): HandOver<T> {
  const waiting = new Set<(thing: T) => void>();

  function giveBack(thing: T): void {
    const [longest] = waiting;
    if (longest) longest(thing);
    else putAway(thing);
  }

  return {
    giveBack,
    first: (get) =>
      new Promise((resolve, reject) => {
        let isServed = false;
        const serve = (thing: T) => {
          waiting.delete(serve);
          if (isServed) return giveBack(thing);
          isServed = true;
          resolve(thing);
        };
        waiting.add(serve);
        get(() => waiting.delete(serve)).then(serve, (error: unknown) => {
          waiting.delete(serve);
          reject(error);
        });
      }),
  };
}
