import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { resultPath } from './results.ts';

const NAME = 'trial-of-the-tests';

/** The benchmark as in a terminal; its temporary folder is inside `directory`. */
function startBench(...args: string[]): { bench: ChildProcess; directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'event-queue-bench-test-'));
  const bench = spawn(process.execPath, ['bench/main.ts', '--name', NAME, ...args], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void bench.kill('SIGKILL'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  onTestFinished(() => rmSync(resultPath(`${NAME}.json`), { force: true }));
  onTestFinished(() => rmSync(resultPath(`${NAME}-bars.svg`), { force: true }));
  return { bench, directory };
}

/** Every process of ours works in a folder of the benchmark's own. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
    } catch {
      return false; // it ended meanwhile
    }
  });
}

async function line(bench: ChildProcess, wanted: string): Promise<void> {
  for await (const line of createInterface({ input: bench.stderr! })) if (line.includes(wanted)) return;
  throw new Error(`it ended without saying: ${wanted}`);
}

test('Ctrl-C stops every process and leaves nothing behind', async () => {
  const { bench, directory } = startBench('--quick', '--only', 'B11');
  await line(bench, 's of nothing');
  // MySQL, the word service, two producers, nginx, two consumers.
  expect(processesIn(directory).length).toBeGreaterThanOrEqual(7);
  bench.kill('SIGINT');
  bench.kill('SIGTERM'); // as npm may pass it on; the same signal twice could arrive as one
  expect(await once(bench, 'exit')).toEqual([1, null]);
  expect({ processes: processesIn(directory), files: readdirSync(directory) }).toEqual({ processes: [], files: [] });
}, 180_000);

test('a run writes what it measured, with its bars and the machine', async () => {
  const { bench, directory } = startBench('--quick', '--only', 'B11');
  bench.stderr!.resume();
  expect(await once(bench, 'exit')).toEqual([0, null]);
  expect(JSON.parse(readFileSync(resultPath(`${NAME}.json`), 'utf8'))).toMatchObject({
    quick: true,
    server: expect.stringMatching(/^(mysql|mariadb)-\d+\.\d+\.\d+$/),
    settings: { sync_binlog: 1, innodb_flush_log_at_trx_commit: 1 },
    rows: [
      { scenario: 'B11', unit: '/s', bar: { atMost: 12 }, verdict: { met: expect.any(Boolean) } },
      { scenario: 'B11', unit: '% of a core', ours: [expect.any(Number), expect.any(Number)] },
    ],
    stolenPercent: { B11: expect.any(Number) },
    failures: {},
  });
  expect({ processes: processesIn(directory), files: readdirSync(directory) }).toEqual({ processes: [], files: [] });
}, 180_000);
