import { keepRunning } from './keep-running.ts';
import type { Part, RunningPart } from './part.ts';

export interface RunningSystem {
  /** Stops everything, the last stage first; the parts of a stage together. */
  stop: () => Promise<void>;
}

/**
 * Starts one stage after the other, and keeps each part running. Resolves when all are ready, or earlier if `signal` is
 * aborted; if a part cannot be started, stops all others and rejects.
 */
export async function startSystem(
  stages: readonly (readonly Part[])[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<RunningSystem> {
  const running: RunningPart[][] = [];
  const stop = async () => {
    for (const parts of running.toReversed()) await Promise.all(parts.map((part) => part.stop()));
  };
  for (const stage of stages) {
    if (signal.aborted) break;
    const { started, failure } = await startStage(stage, say, signal);
    running.push(started);
    if (!failure) continue;
    await stop();
    throw failure;
  }
  return { stop };
}

/** When one part fails, the others need not get ready any more, but must be known before everything is stopped. */
async function startStage(stage: readonly Part[], say: (line: string) => void, signal: AbortSignal) {
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  const started: RunningPart[] = [];
  await Promise.allSettled(
    stage.map(async (part) => {
      try {
        started.push(await keepRunning(part, say, either));
      } catch (error) {
        failing.abort(error);
      }
    }),
  );
  return { started, failure: failing.signal.reason as Error | undefined };
}
