import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Database } from '../database/connect.ts';
import { metaOf } from '../process/setting-kinds.ts';
import { createProducer, type Producer } from '../producer/producer.ts';
import { rows as faultRows } from './faults/rows.ts';
import { anchorOf, codeBlocks, headings, inlineCode, links, shellCommands } from './markdown.ts';
import { allSettings, settingGroups } from './settings.ts';

/** What is written for people must say what the code does. */

const textOf = (file: string) => readFileSync(file, 'utf8');
const plain = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
const DOCUMENTS = [
  'README.md',
  'README.pt-BR.md',
  'SECURITY.md',
  'bench/README.md',
  'bench/peers/README.md',
  'tests/faults/README.md',
  ...globSync('docs/*.md').toSorted(),
];

describe('docs/settings.md', () => {
  const settings = textOf('docs/settings.md');

  test.each(Object.entries(settingGroups))('has a row for each setting of %s, as the code has it', (_, group) => {
    const rows = Object.entries(group).map(([name, setting]) => {
      const { accepts, default: preset, why } = metaOf(setting);
      return `| \`${name}\` | ${accepts} | ${preset && `\`${preset}\``} | ${why} |`;
    });
    expect(rows.filter((row) => !settings.includes(row))).toEqual([]);
  });

  test('has no row for a setting that does not exist', () => {
    const names = [...settings.matchAll(/^\| `([A-Z][A-Z_]+)` \|/gm)].map(([, name]) => name!);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !(name in allSettings))).toEqual([]);
  });
});

describe('docs/http.md', () => {
  const http = textOf('docs/http.md');
  const routesOf = (app: Producer['app']) =>
    app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replace(/:id(\{.*?\})?/, '{id}')}`);
  const createApp = (operatorTokens: string[] = []) => createProducer({ db: {} as Database, operatorTokens }).app;

  test('has each route in its table', () => {
    const routes = new Set(routesOf(createApp()).filter((route) => !route.startsWith('GET /docs/')));
    expect(routes.size).toBe(8);
    for (const route of routes) expect(http).toMatch(new RegExp(`^\\| .*\`${RegExp.escape(route)}\``, 'm'));
  });

  test('has each route of an operator in its table', () => {
    const routes = new Set(routesOf(createApp(['00'])).filter((route) => / \/operator/.test(route)));
    expect(routes.size).toBe(5);
    for (const route of routes) expect(http).toContain(`| \`${route}\` |`);
  });

  test('explains each status of an error that the OpenAPI document names', async () => {
    const answer = await createApp(['00']).request('/openapi.json');
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { responses: object }>> };
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    const errors = new Set(
      operations.flatMap(({ responses }) => Object.keys(responses)).filter((code) => code >= '400'),
    );
    expect(errors.size).toBeGreaterThan(8);
    for (const status of errors) expect(http).toMatch(new RegExp(`^\\| [^|]*\\b${status}\\b`, 'm'));
  });
});

describe('docs/design.md', () => {
  const design = textOf('docs/design.md');

  test('prints the claim and the fill as they are in the code', () => {
    const blocks = codeBlocks(design).filter(({ language }) => language === 'sql');
    expect(blocks.length).toBeGreaterThanOrEqual(3);
    const source = plain(textOf('database/init.sql'));
    for (const { code } of blocks) expect(source).toContain(plain(code));
  });

  test('draws the life cycle with functions that exist', () => {
    const sources = globSync('database/events/*.ts').map(textOf).join('\n');
    const names = [...design.matchAll(/-->.*: (\w+Events)\b/g)].map(([, name]) => name!);
    expect(new Set(names).size).toBeGreaterThanOrEqual(6);
    expect(names.filter((name) => !new RegExp(`function ${name}[(<]`).test(sources))).toEqual([]);
  });

  test('names each folder of the product in the table of files', () => {
    const folders = globSync('{process,database,handlers,producer,consumer,cli,word-service,start}/**/*.ts').map(
      dirname,
    );
    expect([...new Set(folders)].filter((folder) => !design.includes(`\`${folder}/`))).toEqual([]);
  });
});

test('docs/guarantees.md has a row for each row of the fault suite', () => {
  const names = [...textOf('docs/guarantees.md').matchAll(/^\| (F\d+)\*? \|/gm)].map(([, name]) => name!);
  expect(names.toSorted()).toEqual(faultRows.map(({ id }) => id).toSorted());
});

test.each(DOCUMENTS)('%s has no link that leads nowhere', (document) => {
  for (const target of links(textOf(document))) {
    if (/^https?:/.test(target)) continue;
    const [path, anchor] = target.split('#');
    const file = path ? normalize(join(dirname(document), path)) : document;
    expect({ target, exists: existsSync(file) }).toEqual({ target, exists: true });
    if (anchor === undefined) continue;
    expect(headings(textOf(file)).map(({ text }) => anchorOf(text))).toContain(anchor);
  }
});

test.each(DOCUMENTS.filter((document) => !document.startsWith('README')))(
  '%s says first whom it is for',
  (document) => {
    expect(textOf(document)).toMatch(/^# .+\n\nFor everyone who /);
  },
);

test('README.md leads to each document', () => {
  const others = DOCUMENTS.filter((document) => document.startsWith('docs/') || document === 'SECURITY.md');
  expect(others.filter((document) => !links(textOf('README.md')).includes(document))).toEqual([]);
});

// Made at run time, or by the reader.
const NOT_HERE = /^(\.data|secrets|site)\/|^results\/SERVER|^mine\.ts$/;
const FILE = /^[\w.-]+(\/[\w.-]+)*(\/|\.(ts|sql|conf|md|yaml|json|sh|svg|lua|txt))$/;

test.each(DOCUMENTS)('%s names files that exist', (document) => {
  const names = inlineCode(textOf(document)).filter((name) => FILE.test(name) && !NOT_HERE.test(name));
  // A document in a folder may name what is beside it; and `config.ts` stands for all files of that name.
  const exists = (name: string) =>
    existsSync(name) || existsSync(join(dirname(document), name)) || /^(main|config)\.ts$/.test(name);
  expect(names.filter((name) => !exists(name))).toEqual([]);
});

test.each(DOCUMENTS)('%s names npm commands and settings that exist', (document) => {
  const text = textOf(document);
  const commands = [...shellCommands(text), ...inlineCode(text)].join('\n');
  const asked = [...commands.matchAll(/\bnpm (run ([\w:-]+)|start|test)/g)].map(([, name, script]) => script ?? name!);
  expect(asked.filter((name) => !(name in scripts))).toEqual([]);

  const settings = inlineCode(text).filter((name) => /^[A-Z]+(_[A-Z]+)+$/.test(name));
  expect(settings.filter((name) => !(name.replace(/_FILE$/, '') in allSettings))).toEqual([]);
});

const naming = DOCUMENTS.filter((file) => /\.test\.ts`:\s“/.test(textOf(file)));

test.each(naming)('%s names tests that exist', (document) => {
  const named = [...textOf(document).matchAll(/`((?:[\w-]+\/)+[\w.-]+\.test\.ts)`:\s+“([^”]+)”/g)];
  expect(named.length).toBeGreaterThanOrEqual(5);
  for (const [, file, title] of named) {
    const has = textOf(file!).includes(plain(title!));
    expect({ file, title, has }).toEqual({ file, title, has: true });
  }
});

test('.env.example has each setting with its default, and nothing else', () => {
  const lines = [...textOf('.env.example').matchAll(/^#? ?([A-Z][A-Z_]+)=(.*)$/gm)];
  expect(lines.map(([, name]) => name!).toSorted()).toEqual(Object.keys(allSettings).toSorted());
  for (const [, name, value] of lines) {
    const { default: preset } = metaOf(allSettings[name!]!);
    expect({ name, value }).toEqual({ name, value: name === 'CONSUMER_NAME' ? '' : preset });
  }
});
