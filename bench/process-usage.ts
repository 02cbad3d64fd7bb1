import { readdirSync, readFileSync } from 'node:fs';

// The kernel counts in these; 100 on every Linux that Node runs on.
const TICKS_PER_SECOND = 100;

/** Seconds of processor time that this process has used so far, in the kernel and outside. Linux only. */
function cpuSeconds(pid: number): number {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND;
}

/** Resident memory of these processes and their children, in MB of 10^6 bytes. Shared pages count once for each. */
export function residentMegabytes(pids: readonly number[]): number {
  return sumMegabytes(pids, 'status', /^VmRSS:\s+(\d+) kB/m);
}

/** The same, but a page that several processes share (Node's own program, above all) is divided among them. */
export function proportionalMegabytes(pids: readonly number[]): number {
  return sumMegabytes(pids, 'smaps_rollup', /^Pss:\s+(\d+) kB/m);
}

function sumMegabytes(pids: readonly number[], file: 'status' | 'smaps_rollup', kilobytes: RegExp): number {
  const values = withChildren(pids).map((pid) =>
    Number(kilobytes.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0),
  );
  return (values.reduce((sum, value) => sum + value, 0) * 1_024) / 1e6;
}

/** nginx has workers; nothing else of ours has children. */
function withChildren(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => [pid, ...childrenOf(pid)]);
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readChildren(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

/** A server ends threads of its own while it is looked at; they have no children. */
function readChildren(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Share of one core over a while: call it once to begin, and what it returns to end. In percent. */
export function startCpuClock(pid: number): () => number {
  const cpuSince = startProcessorClock([pid]);
  const startedAt = performance.now();
  return () => (cpuSince() / (performance.now() - startedAt)) * 1_000 * 100;
}

/** Seconds of processor time of these processes and their children: call it once to begin, and what it returns to end. */
export function startProcessorClock(pids: readonly number[]): () => number {
  const used = () => withChildren(pids).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const atStart = used();
  return () => used() - atStart;
}
