import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const module = JSON.stringify(new URL('run-main.ts', import.meta.url).href);
const script = (body: string) => [
  '--input-type=module',
  '--eval',
  `import { runMain } from ${module}; runMain('part', async (args) => { ${body} });`,
];
const run = (body: string) => spawnSync(process.execPath, script(body), { encoding: 'utf8' });

test('what is thrown is one line, and the status 1', () => {
  const { status, stdout, stderr } = run(`throw new Error('a port is in use')`);
  expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '', stderr: 'part: a port is in use\n' });
});

test('all that was written arrives before the end, however slowly it is read', async () => {
  const child = spawn(process.execPath, script(`process.stdout.write('x'.repeat(1_000_000)); throw new Error('no')`));
  await once(child.stderr, 'data');
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => void (bytes += chunk.length));
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, bytes }).toEqual({ code: 1, bytes: 1_000_000 });
});

test('who reads nothing does not keep a process from its end', async () => {
  const child = spawn(process.execPath, script(`process.stdout.write('x'.repeat(1_000_000)); throw new Error('no')`));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(1);
  child.stdout.destroy();
});

test('a reader that leaves, as head does, is no error', async () => {
  const body = `for (let n = 0; n < 100; n++) {
    process.stdout.write('x'.repeat(10_000));
    await new Promise((resolve) => setImmediate(resolve));
  }`;
  const child = spawn(process.execPath, script(body));
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number];
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('a URL in a message loses its user, its password and its query', () => {
  const { stderr } = run(`throw new Error('no mysql://eve:ge@heim@db/x?ssl={} nor https://words/api?key=geheim here')`);
  expect(stderr).toBe('part: no mysql://…@db/x?… nor https://words/api?… here\n');
});
