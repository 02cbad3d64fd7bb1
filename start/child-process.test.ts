import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { isRunning } from '../tests/npm-process.ts';
import { findProgram } from './programs.ts';

const SETPRIV = findProgram('setpriv');
const slow = await mkdtemp(join(tmpdir(), 'event-queue-slow-'));
await writeFile(join(slow, 'setpriv'), `#!/bin/sh\nsleep 2\nexec ${SETPRIV} "$@"\n`, { mode: 0o755 });
afterAll(() => rm(slow, { recursive: true }));

const PARENT = `
  import { endChildren, spawnChild } from '${new URL('child-process.ts', import.meta.url).href}';
  const child = spawnChild('sleep', ['60'], { stdio: 'ignore' });
  console.log(child.pid);
  process.stdin.once('data', (how) => (String(how) === 'exit' ? (endChildren(), process.exit()) : process.kill(process.pid, 'SIGKILL')));`;

/** A process whose child is to sleep: the child's pid, and how to kill the parent. */
async function startParent(path: string) {
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', PARENT], {
    env: { ...process.env, PATH: path },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  const end = (how: 'exit' | 'kill') => async () => {
    parent.stdin.write(how);
    await once(parent, 'exit');
  };
  return { pid: Number(line), kill: end('kill'), exit: end('exit') };
}

test('without setpriv, a parent that exits at once ends its children itself', async () => {
  const bare = await mkdtemp(join(tmpdir(), 'event-queue-bare-'));
  onTestFinished(() => rm(bare, { recursive: true }));
  await symlink(findProgram('sleep')!, join(bare, 'sleep'));
  const { pid, exit } = await startParent(bare);
  await exit();
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});

const nameOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

// Only Linux has a parent-death signal.
describe.runIf(SETPRIV)('a process ends with its parent', () => {
  test('that is killed while it runs', async () => {
    const { pid, kill } = await startParent(process.env['PATH']!);
    await expect.poll(() => nameOf(pid), { timeout: 10_000 }).toBe('sleep');
    await kill();
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });

  test('that is killed before it has begun', async () => {
    const { pid, kill } = await startParent(slow + delimiter + process.env['PATH']);
    await kill();
    expect(nameOf(pid)).toBe('setpriv'); // the slow one
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  });
});
