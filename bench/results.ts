import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Row, Series } from './scenario.ts';
import type { Verdict } from './verdict.ts';

/** What bench/results/NAME.json holds. */
export interface Results {
  startedAt: string;
  seconds: number;
  /** At a shortened length the figures mean little. */
  quick: boolean;
  machine: { cpu: string; cores: number; memoryGb: number; kernel: string };
  node: string;
  /** As `mysql-9.7.4`. */
  server: string;
  /** Of the server, as far as they decide what a commit is worth. */
  settings: Record<string, number>;
  /** Of all processor time while a scenario ran, what the host gave to others: the higher, the less its figures mean. */
  stolenPercent: Record<string, number>;
  rows: (Row & { verdict: Verdict })[];
  series: Series[];
  /** Scenarios that could not be measured, and why. */
  failures: Record<string, string>;
}

export function describeMachine(): Results['machine'] {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
  };
}

/** The full path of a file among the results. */
export function resultPath(file: string): string {
  return fileURLToPath(new URL(`results/${file}`, import.meta.url));
}

/** Resolves to the path. */
export async function writeResult(file: string, content: string): Promise<string> {
  const path = resultPath(file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content.endsWith('\n') ? content : `${content}\n`);
  return path;
}
