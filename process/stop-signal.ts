// Where npm's shell is bash, npm passes a Ctrl-C on that the terminal has sent us already.
const REPEAT_MS = 500;

/**
 * Listens for SIGINT, SIGTERM and SIGHUP (the terminal is gone) from now on, and resolves to the first of them. A later one
 * calls `beforeExit` and ends the process at once with status 1; a repeat within half a second counts as the first.
 */
export function stopSignal(beforeExit = () => {}): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (name: NodeJS.Signals) => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        resolve(name);
      } else if (performance.now() - firstAt > REPEAT_MS) {
        beforeExit();
        process.exit(1);
      }
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  });
}
