import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drawPeersChart, type PeerFigure, type PeerFigures } from '../bench/charts/peers.ts';
import { format } from '../bench/peers/format.ts';
import { loadHandlers } from '../consumer/load-handlers.ts';
import { runConsumer } from '../consumer/run-consumer.ts';
import { createEvents } from '../database/events/create.ts';
import { findEvent } from '../database/events/read.ts';
import { codeBlocks, headings, links, tables } from './markdown.ts';
import { fillAll, startTestApp } from './producer-app.ts';
import { createRecordingReport } from './recording-report.ts';
import { useTestDatabase } from './test-database.ts';

/** README.md is the door; README.pt-BR.md is the same door in another language. */

const textOf = (file: string) => readFileSync(file, 'utf8');
const readme = textOf('README.md');
const portuguese = textOf('README.pt-BR.md');
const { db } = await useTestDatabase();

test.each(['README.md', 'README.pt-BR.md'])('%s is short enough to be a door', (document) => {
  expect(textOf(document).split('\n').length).toBeLessThanOrEqual(170);
});

describe('the code of README.md runs:', () => {
  const [caller, handler] = codeBlocks(readme)
    .filter(({ language }) => language === 'ts')
    .map(({ code }) => code);

  test('a caller creates an event and gets its value', async () => {
    const { app } = startTestApp(db);
    const call = compileFunction(`return (async () => { ${caller!}; return event; })()`, ['fetch']);
    const called = call((url: string, init: RequestInit) => app.request(url, init)) as Promise<unknown>;
    await expect
      .poll(async () => {
        await fillAll(db, 'palavra');
        return db.selectFrom('Events').select('valor').execute();
      })
      .toEqual([{ valor: 'palavra' }]);
    expect(await called).toEqual({ id: 1, kind: 'word', valor: 'palavra', status: 'filled' });
  });

  test('a module of handlers makes the value that stands there', async () => {
    mkdirSync('.data', { recursive: true });
    const folder = mkdtempSync('.data/readme-');
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'mine.ts');
    writeFileSync(path, handler!.replace("'./index.ts'", "'../../index.ts'"));
    const payload = '{"client":"ana"}';
    const id = await createEvents(db, [{ kind: 'invoice', payload }]);
    await runConsumer({ db, handlers: await loadHandlers(path), once: true, report: createRecordingReport() });
    const { valor } = (await findEvent(db, id))!;
    expect(JSON.parse(valor!)).toEqual({ number: `2026-${id}`, client: 'ana' });
  });
});

describe('beside other queues', () => {
  interface Row extends PeerFigure {
    version: string;
    server: string;
    lowest: number;
    highest: number;
  }
  const figures = JSON.parse(textOf('bench/results/peers.json')) as Omit<PeerFigures, 'rows'> & {
    rows: Row[];
    recovery: { worst: string }[];
  };
  const rowsOf = (metric: string) => figures.rows.filter((row) => row.metric === metric);
  /** Of this queue in one of its ways, and of all others. */
  const mediansOf = (metric: string, ours: string) =>
    rowsOf(metric)
      .filter(({ peer }) => peer === ours || !peer.startsWith('ours'))
      .map(({ median }) => format(median));

  /** A row of this queue alone. */
  const ours = (metric: string, name: string) => {
    const others = mediansOf(metric, name).length - 1;
    const { median } = rowsOf(metric).find(({ peer }) => peer === name)!;
    return [format(median), ...Array.from({ length: others }, () => '')];
  };

  test.each([
    ['server', figures.rows.filter(({ metric }) => metric === 'add').map(({ server }) => server)],
    ['single adds', mediansOf('add', 'ours: words')],
    ['bulk adds', mediansOf('bulk', 'ours: words')],
    ['no-op jobs', mediansOf('drain', 'ours: words')],
    ['… a call for each', ours('drain', 'ours: plain function')],
    ['… in its transaction', ours('drain', 'ours: inTransaction')],
    ['ms from add', mediansOf('two-processes p50', 'ours: plain function')],
    ['… one process', mediansOf('one-process p50', 'ours: plain function')],
    ['until a killed', figures.recovery.map(({ worst }) => worst.replace(/ \(.*/, ''))],
  ])('the row “%s” of README.md has the figures that were measured', (name, measured) => {
    const [row] = tables(readme).flatMap((table) => table.filter(([first]) => first!.startsWith(name)));
    expect(row!.slice(1).map((cell) => cell.replaceAll('*', ''))).toEqual(measured);
  });

  test('docs/performance.md has them with their spread', () => {
    const performance = textOf('docs/performance.md').replaceAll('*', '');
    for (const { metric, peer, version, median, lowest, highest } of figures.rows) {
      expect(performance).toContain(peer.startsWith('ours') ? 'this queue' : `${peer} ${version}`);
      const isLatency = metric.includes('process');
      const spread = isLatency ? format(median) : `${format(median)} (${format(lowest)}–${format(highest)})`;
      expect(performance).toContain(spread);
    }
  });

  test('the chart shows them', () => {
    // echarts numbers its classes from one chart of a process to the next.
    const plain = (svg: string) => svg.replaceAll(/zr\d+-(\w+)-\d+/g, '$1').replaceAll(/<style[\s\S]*?<\/style>/g, '');
    expect(plain(textOf('bench/results/peers.svg'))).toBe(plain(`${drawPeersChart(figures)}\n`));
  });
});

describe('README.pt-BR.md keeps step with README.md:', () => {
  const withoutComments = ({ language, code }: { language: string; code: string }) =>
    // In a picture the labels are translated, the boxes and arrows are not.
    language === 'mermaid'
      ? code.replaceAll(/\|[^|]*\||\[+\(?[^\])]*\)?\]+|\(\[[^\]]*\]\)/g, '')
      : code.replaceAll(/ +(#|\/\/) .*$/gm, '');

  test.each<[string, (markdown: string) => unknown]>([
    ['headings', (markdown) => headings(markdown).map(({ level }) => level)],
    ['commands and code', (markdown) => codeBlocks(markdown).map(withoutComments)],
    ['links and pictures', (markdown) => links(markdown).filter((target) => !target.startsWith('README'))],
    ['tables', (markdown) => tables(markdown).map((table) => table.map((row) => row.length))],
    [
      'figures',
      (markdown) =>
        tables(markdown)
          .flat(2)
          .map((cell) => cell.replaceAll(/\D/g, '')),
    ],
  ])('the same %s', (_, part) => {
    expect(part(portuguese)).toEqual(part(readme));
  });

  test('each leads to the other', () => {
    expect(links(readme)).toContain('README.pt-BR.md');
    expect(links(portuguese)).toContain('README.md');
  });
});
