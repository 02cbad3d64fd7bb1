import { setTimeout as sleep } from 'node:timers/promises';
import type { Part, RunningPart } from './part.ts';

/**
 * Starts a part and keeps it running until it is stopped: one that ends by itself is started again. So a student can kill
 * any process and watch the system recover.
 */
export async function keepRunning(part: Part, say: (line: string) => void, signal: AbortSignal): Promise<RunningPart> {
  const { restartAfterMs = 1_000 } = part;
  let running = await part.start(signal);
  const stopping = new AbortController();
  if (signal.aborted) stopping.abort(); // a part that was stopped before it was ready has not ended unexpectedly
  const watched = (async () => {
    for (;;) {
      await running.ended;
      if (stopping.signal.aborted) return;
      say(`${part.name} ended unexpectedly and is started again in ${restartAfterMs / 1_000} s`);
      await sleep(restartAfterMs, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      running = await part.start(stopping.signal).catch((error: unknown) => {
        say(String(error));
        return running;
      });
      if (stopping.signal.aborted) await running.stop(); // stop() knew only the one that had ended
    }
  })();
  return {
    ended: watched,
    async stop() {
      stopping.abort();
      await running.stop();
      await watched;
    },
  };
}
