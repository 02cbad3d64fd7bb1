import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { defineHandlers } from '../handlers/define-handlers.ts';
import { mergeHandlers } from './load-handlers.ts';

const folder = mkdtempSync(join(tmpdir(), 'load-handlers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const here = (path: string) => pathToFileURL(path).href;
const DEFINE = `import { defineHandlers } from '${here('handlers/define-handlers.ts')}';\n`;

/** Loads a file as a consumer does, in a process without the test's own loader: its kinds, or the error. */
async function load(path: string, source?: string): Promise<{ kinds?: string[]; error?: string }> {
  if (source !== undefined) writeFileSync(join(folder, path), source);
  const program = `
    import { loadHandlers } from '${here('consumer/load-handlers.ts')}';
    const told = await loadHandlers(${JSON.stringify(path)}).then(
      ({ kinds }) => ({ kinds: kinds.map(({ kind }) => kind) }),
      ({ message }) => ({ error: message }));
    console.log(JSON.stringify(told));`;
  const options = { cwd: folder };
  const { stdout } = await promisify(execFile)('node', ['--input-type=module', '--eval', program], options);
  return JSON.parse(stdout) as { kinds?: string[]; error?: string };
}

test.each(['./mine.ts', 'mine.mjs', 'a #1%20?.ts'])('%s is loaded from the folder that one is in', async (path) => {
  const source = `${DEFINE}export default defineHandlers({ email: async () => 1, report: { handle: () => 2 } });`;
  expect(await load(path, source)).toEqual({ kinds: ['email', 'report'] });
  expect(await load(join(folder, path))).toEqual({ kinds: ['email', 'report'] });
});

describe('a module that cannot be used is an error in one sentence that says what to do:', () => {
  test.each<[string, string | undefined, string]>([
    ['missing.ts', undefined, 'missing.ts does not exist: give the path of a module with handlers'],
    ['throws.ts', `throw new Error('no\\nsecond line');`, 'throws.ts cannot be loaded, correct it and start again: no'],
    ['throws-text.ts', `throw 'no';`, 'throws-text.ts cannot be loaded, correct it and start again: no'],
    ['syntax.ts', 'const a = 1;\nexport default {{;', 'syntax.ts, line 2, cannot be loaded'],
    ['syntax.mjs', 'export default {{;', `cannot be loaded, correct it and start again: Unexpected token '{'`],
    ['enum.ts', 'enum Colour { Red }', 'TypeScript enum is not supported'],
    ['import.ts', `import './nowhere.ts';`, 'cannot be loaded, correct it and start again: Cannot find module'],
    ['package.ts', `import 'no-such-package';`, `Cannot find package 'no-such-package'`],
    ['nothing.ts', '', 'nothing.ts has no handlers: end it with "export default defineHandlers({ … })".'],
    ['object.ts', 'export default { email: async () => 1 };', 'object.ts has no handlers'],
    ['named.ts', `${DEFINE}export const handlers = defineHandlers({ a: () => 1 });`, 'named.ts has no handlers'],
    ['kind.ts', `${DEFINE}export default defineHandlers({ 'E-Mail': () => 1 });`, `'E-Mail' cannot be a kind`],
    ['handlers.txt', 'mar', 'handlers.txt cannot be loaded, correct it and start again: Unknown file extension'],
    ['.', undefined, 'cannot be loaded, correct it and start again: Directory import'],
  ])('%s', async (path, source, sentence) => {
    const { error } = await load(path, source);
    expect(error).toContain(sentence);
    expect(error!.split('\n')).toHaveLength(1);
  });
});

describe('handlers of several sources', () => {
  const email = { from: './mine.ts', handlers: defineHandlers({ email: () => 1 }) };
  const report = { from: './yours.ts', handlers: defineHandlers({ report: () => 1, word: () => 'mar' }) };

  test('are served together', () => {
    const { kinds } = mergeHandlers([email, report]);
    expect(kinds.map(({ kind }) => kind)).toEqual(['email', 'report', 'word']);
  });

  test('cannot have the same kind twice', () => {
    expect(() => mergeHandlers([email, report, { ...email, from: '--webhook email=…' }])).toThrow(
      `The kind 'email' has a handler in ./mine.ts and in --webhook email=…: keep one of them.`,
    );
  });
});
