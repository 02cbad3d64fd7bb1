import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { prepareSystem, startSystem } from './whole-system.ts';

/** How this repository arrives on other people's machines. */

const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' });

// A copy without its history has nothing that git would change.
describe.runIf(existsSync('.git'))('a clone', () => {
  const parent = mkdtempSync(join(tmpdir(), 'event-queue-clone-'));
  afterAll(() => rmSync(parent, { recursive: true }));
  const clone = join(parent, 'fila de eventos, à parte');
  const files = () => git('-C', clone, 'ls-files', '-z').split('\0').filter(Boolean);

  test('with core.autocrlf=true has no line that ends in CRLF', () => {
    git('clone', '--quiet', '--no-hardlinks', '-c', 'core.autocrlf=true', process.cwd(), clone);
    expect(files().length).toBeGreaterThan(200);
    expect(files().filter((file) => readFileSync(join(clone, file)).includes('\r\n'))).toEqual([]);
  });

  test('keeps its line ends when somebody commits CRLF', () => {
    const attributes = execFileSync('git', ['-C', clone, 'check-attr', '-z', '--stdin', 'eol'], {
      input: files().join('\0'),
      encoding: 'utf8',
    });
    const values = attributes.split('\0').filter((_, index) => index % 3 === 2);
    expect(values.length).toBe(files().length);
    expect(new Set(values)).toEqual(new Set(['lf']));
  });

  test('starts in a folder with spaces and accents in its name, on a machine whose HOST is a compiler', async () => {
    symlinkSync(resolve('node_modules'), join(clone, 'node_modules'));
    await using prepared = await prepareSystem({ isFirstStart: true });
    const env = { ...prepared.environment, HOST: 'x86_64-conda-linux-gnu', PORT: 'tcp://10.0.0.1:80' };
    const system = await startSystem(env, { cwd: clone });
    expect(system.lines.filter((line) => line.includes('error'))).toEqual([]);
    const answer = await fetch(`${system.front}/create-sync`, { method: 'POST' });
    expect(answer.status).toBe(201);
    expect(await system.interrupt()).toContain('stopped');
    expect(git('-C', clone, 'status', '--porcelain', '--', ':!node_modules')).toBe('');
  });
});
