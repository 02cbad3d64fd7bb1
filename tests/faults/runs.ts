import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a payload tells the handlers of the fault suite to do. */
export interface Task {
  does:
    | 'answer'
    | 'fail once'
    | 'wait twice'
    | 'throw'
    | 'exit'
    | 'block'
    | 'hang'
    | 'huge'
    | 'nonsense'
    // Of kinds with an effect: locks two rows, in the order 1, 2; uses a statement that would commit, the first time.
    | 'collide'
    | 'commit once';
  /** How long it takes, or blocks. @default 0 */
  ms?: number;
}

/** An event of a kind that the handlers of the fault suite serve. */
export interface NewTask {
  kind: string;
  key?: string;
  delayMs?: number;
  payload?: Task;
}

/** What a handler that ends its own process ends it with. */
export const EXIT_CODE = 86;

/** How a handler's run ended, as the handler saw it. */
type Ending = 'answered' | 'waits' | 'failed' | 'overdue' | 'interrupted';

/** A line that a handler wrote. Both are appended at once, so that a SIGKILL loses none. */
export type Mark = { id: number; attempt: number; pid: number; at: number } & ({ began: true } | { ended: Ending });

/** One call of a handler for one event. Times are by the clock of the machine, in ms. */
export interface Run {
  id: number;
  attempt: number;
  pid: number;
  beganAt: number;
  /** Absent if its process was killed, or is stuck in it. */
  endedAt?: number;
  ended?: Ending;
}

export async function readRuns(directory: string): Promise<Run[]> {
  const files = (await readdir(directory)).filter((name) => name.startsWith('runs-'));
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  return toRuns(texts.flatMap((text) => text.split('\n').filter(Boolean)).map((line) => JSON.parse(line) as Mark));
}

/** The first end of a run counts: what a handler does after it was interrupted is nobody's business. */
function toRuns(marks: readonly Mark[]): Run[] {
  const runs = new Map<string, Run>();
  for (const mark of marks) {
    const { id, attempt, pid, at } = mark;
    const name = `${id}/${attempt}/${pid}`;
    const run = runs.get(name);
    if (!run) runs.set(name, { id, attempt, pid, beganAt: at });
    else if ('ended' in mark && run.ended === undefined) Object.assign(run, { endedAt: at, ended: mark.ended });
  }
  return [...runs.values()];
}
