// Where npm's shell is bash, npm passes a Ctrl-C on that the terminal has sent us already.
const REPEAT_MS = 500;
const PARENT_CHECK_MS = 500;

/** Why a process stops: a signal, or npm, which started it, is gone. */
export type StopReason = NodeJS.Signals | 'npm is gone';

/**
 * Resolves to the first SIGINT, SIGTERM or SIGHUP (the terminal is gone) from now on. A later one calls `beforeExit` and
 * exits at once with status 1; a repeat within half a second does not count.
 */
export function stopSignal(beforeExit = () => {}): Promise<StopReason> {
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
    // A killed npm passes no signal on: what it has started gets another parent.
    if (process.env['npm_lifecycle_event']) onOtherParent(() => resolve('npm is gone'));
  });
}

function onOtherParent(act: () => void): void {
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    act();
  }, PARENT_CHECK_MS).unref();
}
