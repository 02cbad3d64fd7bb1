// Where npm's shell is bash, npm passes a Ctrl-C on that the terminal has sent us already.
const REPEAT_MS = 500;

/**
 * A listener for SIGINT, SIGTERM and SIGHUP (the terminal is gone): the first calls `stop`, a second one calls `end`,
 * which is to end the process at once. What follows the first within half a second is still the first.
 */
export function stopThenEnd(stop: (name: NodeJS.Signals) => void, end: () => void): (name: NodeJS.Signals) => void {
  let firstAt: number | undefined;
  return (name) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      stop(name);
    } else if (performance.now() - firstAt > REPEAT_MS) {
      end();
    }
  };
}
