import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { loadHandlers } from '../consumer/load-handlers.ts';
import { codeBlocks } from './markdown.ts';

/** The code of docs/handlers.md, as modules in a folder of this repository: each imports what the reader's would. */

mkdirSync('.data', { recursive: true });
const folder = mkdtempSync('.data/handlers-doc-');
afterAll(() => rmSync(folder, { recursive: true }));

const blocks = codeBlocks(readFileSync('docs/handlers.md', 'utf8')).filter(({ language }) => language === 'ts');
const modules = blocks.map(({ code }, index) => {
  const path = join(folder, `block-${index + 1}.ts`);
  writeFileSync(path, code.replaceAll(`'./index.ts'`, `'${relative(folder, 'index.ts')}'`));
  return path;
});

test('each block is a module that a consumer can load', async () => {
  const loaded = await Promise.all(modules.map(loadHandlers));
  const kinds = loaded.map((handlers) => handlers.kinds.map(({ kind }) => kind));
  expect(kinds).toEqual([
    ['hello', 'email'],
    ['track'],
    ['payment'],
    ['price'],
    ['report'],
    ['transfer', 'charge'],
    ['order', 'confirmation'],
    ['ship', 'delivery'],
    ['parcel'],
  ]);
});

test('each block passes the compiler', async () => {
  const config = { extends: resolve('tsconfig.json'), include: ['*.ts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await expect(promisify(execFile)('npx', ['--no-install', 'tsc', '--project', folder])).resolves.toBeDefined();
});
