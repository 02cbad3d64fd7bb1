import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const run = promisify(execFile);
const MODULE = JSON.stringify(new URL('json-report.ts', import.meta.url).href);

/** The lines of a process of its own, since the report writes to its standard output. */
async function linesOf(level: string, code: string): Promise<Record<string, unknown>[]> {
  const script = `import { createJsonReport } from ${MODULE}; const report = createJsonReport('${level}', 'ana'); ${code}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('each batch and each happening is one line of JSON, and a flush writes them all before the process ends', async () => {
  const lines = await linesOf(
    'info',
    `report.filled([{ id: 1, attempt: 1, valor: 'mar' }, { id: 2, attempt: 1, valor: 'pão' }], 3, 41);
    report.failed([{ id: 7, attempt: 2, reason: 'no word' }], 0);
    report.released(4, 'shutting down');
    report.locked([7, 9], 12_000);
    report.handlerDown('word', new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }));
    report.handlerBack('word');
    report.databaseLost(new Error('gone'));
    report.databaseBack();
    report.trouble('could not claim', new Error('gone'));
    report.warn('sync_binlog is not 1');
    report.note('stopped');
    await report.flush();
    process.exit(0);`,
  );
  expect(lines).toMatchObject([
    { level: 30, filled: 2, lost: 3, ms: 41, first: 1, last: 2, msg: 'filled' },
    { level: 40, failed: 1, ids: [7], reason: 'no word' },
    { level: 30, released: 4, why: 'shutting down' },
    { level: 40, locked: 2, ids: [7, 9], ms: 12_000 },
    { level: 40, handler: 'word', reason: 'fetch failed (ECONNREFUSED)' },
    { level: 30, handler: 'word' },
    { level: 40, reason: 'gone' },
    { level: 30 },
    { level: 50, err: { message: 'gone', stack: expect.any(String) }, msg: 'could not claim' },
    { level: 40, msg: 'sync_binlog is not 1' },
    { level: 30, msg: 'stopped' },
  ]);
  for (const line of lines) {
    expect(line).toMatchObject({ part: 'consumer', consumer: 'ana', time: expect.any(Number) });
  }
});

test('a flush also writes what was logged while a write was under way', async () => {
  const lines = await linesOf(
    'info',
    `report.note('x'.repeat(5_000)); report.note('stopped'); await report.flush(); process.exit(0);`,
  );
  expect(lines.map(({ msg }) => (msg as string).at(-1))).toEqual(['x', 'd']);
});

test('what is less important than the level is not written', async () => {
  const lines = await linesOf(
    'warn',
    `report.note('stopped'); report.databaseLost(new Error('gone')); await report.flush();`,
  );
  expect(lines).toMatchObject([{ reason: 'gone' }]);
});

test('a process whose output nobody reads any more can end at once', async () => {
  // Waits without its event loop, so that it has not noticed yet that the reader is gone.
  const script = `import { createJsonReport } from ${MODULE};
    const report = createJsonReport('info', 'ana');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    report.note('stopped');
    process.exit(7);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  expect(await once(child, 'exit')).toEqual([7, null]);
});
