import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTerminalReport, type TerminalReportOptions } from './terminal-report.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 0, 2, 14, 3, 7) });
});
afterEach(() => {
  vi.useRealTimers();
});

function createReport(options: Partial<TerminalReportOptions> = {}) {
  const lines: string[] = [];
  const write = (line: string) => lines.push(stripVTControlCharacters(line));
  return { lines, report: createTerminalReport({ quiet: false, verbose: false, write, ...options }) };
}

const fill = (id: number, valor = 'mar') => ({ id, attempt: 1, valor });
const fills = (first: number, count: number) => Array.from({ length: count }, (_, index) => fill(first + index));

describe('filled events', () => {
  test('have a line each, with the time, the id, the word and how long it took', () => {
    const { lines, report } = createReport();
    report.filled([fill(123, 'coração'), fill(124, 'pão')], 0, 41);
    expect(lines).toEqual(['14:03:07 #123 coração 41 ms', '14:03:07 #124 pão 41 ms']);
  });

  test('that come slowly are all shown, for as long as it takes', () => {
    const { lines, report } = createReport();
    for (let id = 1; id <= 30; id++) {
      report.filled([fill(id)], 0, 5);
      vi.advanceTimersByTime(200);
    }
    expect(lines).toHaveLength(30);
    expect(lines.at(-1)).toBe('14:03:12 #30 mar 5 ms');
  });

  test('that come too fast to read are ten lines, and then one line a second', () => {
    const { lines, report } = createReport();
    report.filled(fills(1, 1_500), 0, 5);
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe('14:03:07 #10 mar 5 ms');
    vi.advanceTimersByTime(1_000);
    expect(lines.slice(10)).toEqual(['14:03:08 1,500 filled in a second, the newest #1500 mar']);

    for (let n = 0; n < 10; n++) {
      report.filled(fills(2_000 + n * 100, 100), 0, 5);
      vi.advanceTimersByTime(100);
    }
    expect(lines.slice(11)).toEqual(['14:03:09 1,000 filled in a second, the newest #2999 mar']);
  });

  test('have a line each again when it has become calm', () => {
    const { lines, report } = createReport();
    report.filled(fills(1, 100), 0, 5);
    vi.advanceTimersByTime(1_000);
    report.filled(fills(101, 3), 0, 5);
    vi.advanceTimersByTime(1_000);
    report.filled([fill(104)], 0, 5);
    expect(lines.slice(10)).toEqual([
      '14:03:08 100 filled in a second, the newest #100 mar',
      '14:03:09 3 filled in a second, the newest #103 mar',
      '14:03:09 #104 mar 5 ms',
    ]);
  });

  test('that were not shown yet are summed up when the report is flushed, and only once', () => {
    const { lines, report } = createReport();
    report.filled(fills(1, 100), 0, 5);
    vi.advanceTimersByTime(600);
    void report.flush();
    expect(lines.slice(10)).toEqual(['14:03:07 100 filled in a second, the newest #100 mar']);
    report.filled(fills(101, 100), 0, 5);
    vi.advanceTimersByTime(900);
    expect(lines).toHaveLength(11);
    vi.advanceTimersByTime(5_000);
    void report.flush();
    expect(lines.slice(11)).toEqual(['14:03:08 100 filled in a second, the newest #200 mar']);
  });

  test('that were all shown need no summary', () => {
    const { lines, report } = createReport();
    report.filled(fills(1, 10), 0, 5);
    vi.advanceTimersByTime(5_000);
    void report.flush();
    expect(lines).toHaveLength(10);
  });

  test('are all shown with --verbose, however many there are', () => {
    const { lines, report } = createReport({ verbose: true });
    report.filled(fills(1, 1_500), 0, 5);
    vi.advanceTimersByTime(5_000);
    expect(lines).toHaveLength(1_500);
  });

  test('are not shown with --quiet, but what goes wrong is', () => {
    const { lines, report } = createReport({ quiet: true });
    report.filled(fills(1, 1_500), 2, 5);
    report.failed([{ id: 7, attempt: 3, reason: 'no word' }], 0);
    report.handlerDown('word', new Error('out of order'));
    vi.advanceTimersByTime(5_000);
    void report.flush();
    expect(lines).toEqual([
      '14:03:07 2 claims were lost: others have these events now',
      '14:03:07 #7 attempt 3 failed: no word',
      '14:03:07 word handler down, nothing is claimed: out of order',
    ]);
  });
});

describe('what else happens', () => {
  test('is said in a line', () => {
    const { lines, report } = createReport();
    report.released(3, 'shutting down');
    report.locked([7], 5_723);
    report.handlerBack('word');
    report.databaseLost(new Error('gone'));
    report.databaseBack();
    report.trouble('could not claim', 'a reason that is no error');
    report.warn('sync_binlog is not 1');
    report.note('stopped');
    expect(lines).toEqual([
      '14:03:07 3 given back: shutting down',
      '14:03:07 another connection has kept #7 locked for at least 5 s',
      '14:03:07 word handler is back',
      '14:03:07 database lost, trying again: gone',
      '14:03:07 database is back',
      '14:03:07 could not claim: a reason that is no error',
      '14:03:07 sync_binlog is not 1',
      '14:03:07 stopped',
    ]);
  });

  test('includes the cause of an error, since fetch says no more than "fetch failed"', () => {
    const { lines, report } = createReport();
    report.handlerDown(
      'word',
      new TypeError('fetch failed', { cause: new Error('ECONNREFUSED', { cause: new Error('port') }) }),
    );
    expect(lines[0]).toContain('fetch failed (ECONNREFUSED (port))');
  });

  test('says a cause only once, also when the message of its error contains it', () => {
    const { lines, report } = createReport();
    report.trouble('could not claim', new Error('ER_X: no routine', { cause: new Error('no routine') }));
    expect(lines).toEqual(['14:03:07 could not claim: ER_X: no routine']);
  });

  test('does not flood the terminal when a whole batch fails', () => {
    const { lines, report } = createReport();
    report.failed(
      Array.from({ length: 500 }, (_, id) => ({ id, attempt: 1, reason: 'no word' })),
      0,
    );
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toMatch(/… and 490 more$/);
  });

  test('names no more than ten of the events that are locked', () => {
    const { lines, report } = createReport();
    report.locked(
      Array.from({ length: 500 }, (_, id) => id),
      60_000,
    );
    expect(lines).toEqual([expect.stringMatching(/kept #0, .*#9 and 490 more locked for at least 60 s$/)]);
  });
});
