import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

/** Who may import whom, and who alone may do what: design rules that a reader relies on. */

const FOLDERS = ['process', 'database', 'handlers', 'producer', 'consumer', 'cli', 'word-service', 'start'];
const examples = globSync('examples/*/**/*.ts').filter((file) => !file.endsWith('.test.ts'));
const files = FOLDERS.flatMap((folder) => globSync(`${folder}/**/*.ts`)).filter((file) => !file.endsWith('.test.ts'));
const sourceOf = (file: string) => readFileSync(file, 'utf8');
const codeOf = (file: string) => sourceOf(file).replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');

function importsOf(file: string): string[] {
  return [...sourceOf(file).matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].map(([, a, b]) => (a ?? b)!);
}

/** Folders of this repository that a file imports from, its own left out. */
function foldersOf(file: string): string[] {
  const own = file.split('/')[0]!;
  return importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => join(dirname(file), name).split('/')[0]!)
    .filter((folder) => folder !== own);
}

const only = (what: RegExp) => files.filter((file) => importsOf(file).some((name) => what.test(name)));

test('there is something to check', () => {
  expect(files.length).toBeGreaterThan(30);
  expect(importsOf('producer/app.ts')).toContain('hono');
});

/** Imports run one way: each folder of the product, and those that it may import from. */
const MAY_IMPORT: Record<string, string[]> = {
  process: [],
  database: ['process'],
  handlers: [],
  'word-service': ['process'],
  producer: ['process', 'database'],
  consumer: ['process', 'database', 'handlers'],
  cli: ['process', 'database'],
  start: ['process', 'database', 'producer', 'consumer', 'word-service'],
};

test.each(FOLDERS)('%s imports only from the folders below it', (folder) => {
  for (const file of files.filter((name) => name.startsWith(`${folder}/`))) {
    const others = foldersOf(file).filter((other) => !MAY_IMPORT[folder]!.includes(other));
    expect({ file, others }).toEqual({ file, others: [] });
  }
});

/** So that whoever copies one needs nothing else of ours. */
test('an example imports the public index.ts, and of the rest only how a process is set and run', () => {
  const others = examples.flatMap((file) =>
    foldersOf(file)
      .filter((folder) => !['index.ts', 'process'].includes(folder))
      .map((folder) => ({ file, folder })),
  );
  expect(examples.length).toBeGreaterThan(3);
  expect(others).toEqual([]);
});

test('the product knows neither its tests nor its benchmark', () => {
  expect(files.filter((file) => foldersOf(file).some((folder) => ['tests', 'bench'].includes(folder)))).toEqual([]);
});

test.each([
  ['mysql2', /^mysql2/, ['database/connection.ts']],
  ['p-retry', /^p-retry$/, ['handlers/words.ts']],
  ['hono', /^(@hono\/|hono($|\/|-))/, files.filter((file) => file.startsWith('producer/'))],
  ['kysely', /^kysely$/, [...files.filter((file) => file.startsWith('database/')), 'handlers/handler.ts']],
  [
    'pino',
    /^pino/,
    ['process/json-log.ts', 'producer/log.ts', 'producer/from-config.ts', 'producer/http/request-log.ts'],
  ],
])('%s is imported only where it belongs', (_, name, allowed) => {
  expect(only(name).filter((file) => !allowed.includes(file))).toEqual([]);
});

test('SQL stands in database/ and nowhere else', () => {
  const sql = /\b(SELECT\s+[\w*(]|INSERT\s+INTO|UPDATE\s+[\w(]+[\s\S]{0,200}\bSET\b|DELETE\s+FROM|CALL\s+\w+\()/;
  expect(files.filter((file) => !file.startsWith('database/') && sql.test(codeOf(file)))).toEqual([]);
  expect(sql.test(codeOf('database/events/claim.ts'))).toBe(true);
});

test('the environment and the arguments are read in config files, and by process/ for all of them', () => {
  const readers = files.filter((file) => /process\.(env|argv)\b/.test(codeOf(file)));
  // The search path is not a setting of ours.
  const others = readers.filter((file) => !/^process\/|\/config\.ts$/.test(file) && file !== 'start/programs.ts');
  expect(others).toEqual([]);
});

test('signals and exit codes are handled in main files and process/', () => {
  const handlers = files.filter((file) => /process\.(on|once|exit)\(|process\.exitCode/.test(codeOf(file)));
  expect(handlers.filter((file) => !file.endsWith('/main.ts') && !file.startsWith('process/'))).toEqual([]);
});

test('no file is named after nothing in particular, and none re-exports others', () => {
  expect(files.filter((file) => /\/(index|utils?|helpers?|common|shared|manager)\.ts$/.test(file))).toEqual([]);
  expect(files.filter((file) => /^export (\*|\{[^}]*\}) from/m.test(sourceOf(file)))).toEqual([]);
});

test('no file of the product is longer than a reader holds in mind, or its first line says why', () => {
  const lengths = files.map((file) => ({ file, lines: sourceOf(file).split('\n').length - 1 }));
  const tooLong = lengths.filter(({ file, lines }) => lines > 200 && !/^\/\/ Longer .* because /.test(sourceOf(file)));
  expect(tooLong).toEqual([]);
});
