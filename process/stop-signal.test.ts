import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../start/free-port.ts';
import { isRunning } from '../tests/npm-process.ts';

const module = JSON.stringify(new URL('stop-signal.ts', import.meta.url).href);
const WAIT = `import { stopSignal } from ${module};
  setInterval(() => {}, 1_000);
  console.log(process.pid);
  stopSignal().then((reason) => { console.log(reason); process.exit(); });`;

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return line;
}

// With the shell of Debian, which stays beside what it starts, and with bash, which becomes it.
test.each(['/bin/sh', 'bash'])('when npm with %s is killed, what it has started ends', async (shell) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const env = { ...process.env, npm_config_script_shell: shell, WORD_SERVICE_PORT: String(await freePort()) };
    const npm = spawn('npm', ['run', '--silent', 'word-service'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await firstLine(npm)).toContain('words at');
    // Only what npm started holds the other end of this pipe then.
    const closed = once(npm.stdout, 'close');
    npm.kill(signal);
    await closed;
  }
});

test('a process that npm has not started outlives its parent', async () => {
  const { npm_lifecycle_event: _, ...env } = process.env;
  const start = `import { spawn } from 'node:child_process';
    const args = ['--input-type=module', '--eval', ${JSON.stringify(WAIT)}];
    spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', start], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  onTestFinished(() => void process.kill(pid, 'SIGKILL'));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  const quiet = new Promise((resolve) => setTimeout(resolve, 1_500)); // three checks of its parent
  await quiet;
  expect(isRunning(pid)).toBe(true);
});
