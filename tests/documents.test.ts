import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createApp, type ProducerDeps } from '../producer/app.ts';
import { allSettings, metaOf, settingGroups } from './settings.ts';

/** What is written for people must say what the code does. */

const readme = readFileSync('README.md', 'utf8');
const example = readFileSync('.env.example', 'utf8');

describe('README.md', () => {
  test.each(Object.entries(settingGroups))('has a row for each setting of %s, as the code has it', (_, settings) => {
    for (const [name, setting] of Object.entries(settings)) {
      const { accepts, fallback, why } = metaOf(setting);
      expect(readme).toContain(`| \`${name}\` | ${accepts} | ${fallback && `\`${fallback}\``} | ${why} |`);
    }
  });

  test('names no setting that does not exist', () => {
    const rows = [...readme.matchAll(/^\| `([A-Z][A-Z_]+)` \|/gm)].map(([, name]) => name!);
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((name) => !(name in allSettings))).toEqual([]);
  });

  test('has each route in its table', () => {
    const app = createApp({ log: { info() {} } } as unknown as ProducerDeps);
    const isMeant = ({ method, path }: { method: string; path: string }) =>
      method !== 'ALL' && !path.startsWith('/docs/');
    const routes = app.routes.filter(isMeant).map(({ method, path }) => `${method} ${path.replace(':id', '{id}')}`);
    expect(new Set(routes).size).toBe(8);
    for (const route of routes) expect(readme).toContain(`\`${route}`);
  });

  test('has each route of an operator in its table', () => {
    const operator = { tokens: ['00'] } as unknown as ProducerDeps['operator'];
    const { routes } = createApp({ operator, log: { info() {} } } as unknown as ProducerDeps);
    const rows = routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/operator'))
      .map(({ method, path }) => `\`${method} ${path.replace(':id', '{id}')}\``);
    expect(new Set(rows).size).toBe(4);
    for (const row of rows) expect(readme).toContain(`| ${row} |`);
  });

  test('prints the claim and the fill as they are in the code', () => {
    const plain = (text: string) => text.replaceAll(/\s+/g, ' ').trim();
    const blocks = [...readme.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql]) => plain(sql!));
    expect(blocks.length).toBeGreaterThanOrEqual(2);
    const sources = plain(
      ['init.sql', 'events/claim.ts', 'events/settle.ts']
        .map((file) => readFileSync(`database/${file}`, 'utf8'))
        .join('\n'),
    );
    // In the code the values are template holes; the README shows them as :names.
    const shape = (text: string) => text.replaceAll(/\$\{[^}]*\}|:\w+/g, '?');
    for (const block of blocks) expect(shape(sources)).toContain(shape(block));
  });
});

test.each(['README.md', 'SECURITY.md'])('%s names tests that exist', (document) => {
  const named = [...readFileSync(document, 'utf8').matchAll(/`((?:[\w-]+\/)+[\w.-]+\.test\.ts)`:\s“([^”]+)”/g)];
  expect(named.length).toBeGreaterThanOrEqual(5);
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ');
  for (const [, file, title] of named) {
    expect({ file, title, has: readFileSync(file!, 'utf8').includes(plain(title!)) }).toEqual({
      file,
      title,
      has: true,
    });
  }
});

test('.env.example has each setting with its default, and nothing else', () => {
  const lines = [...example.matchAll(/^#? ?([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!] as const);
  expect(lines.map(([name]) => name).toSorted()).toEqual(Object.keys(allSettings).toSorted());
  for (const [name, value] of lines) {
    const { fallback } = metaOf(allSettings[name]!);
    expect({ name, value }).toEqual({ name, value: name === 'CONSUMER_NAME' ? '' : fallback });
  }
});
