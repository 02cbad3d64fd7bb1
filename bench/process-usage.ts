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
  const kilobytes = pids.flatMap((pid) => [pid, ...childrenOf(pid)]).map(residentKilobytes);
  return (kilobytes.reduce((sum, value) => sum + value, 0) * 1_024) / 1e6;
}

function residentKilobytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** nginx has workers; nothing else of ours has children. */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Share of one core over a while: call it once to begin, and what it returns to end. In percent. */
export function startCpuClock(pid: number): () => number {
  const cpuAtStart = cpuSeconds(pid);
  const startedAt = performance.now();
  return () => ((cpuSeconds(pid) - cpuAtStart) / (performance.now() - startedAt)) * 1_000 * 100;
}
