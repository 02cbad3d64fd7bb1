import { expect, test } from 'vitest';
import { BLOCKED_PORTS } from './blocked-ports.ts';
import { httpPort, httpPorts } from './setting-kinds.ts';
import { readSettings } from './settings.ts';

const causeOf = async (port: number) => {
  const signal = AbortSignal.timeout(2_000);
  const error = await fetch(`http://127.0.0.1:${port}`, { signal }).catch((reason: unknown) => reason as Error);
  return (error as Error & { cause?: Error }).cause?.message;
};

test('every blocked port is one that fetch refuses, and the defaults are not among them', async () => {
  const causes = await Promise.all([...BLOCKED_PORTS].map(causeOf));
  expect(new Set(causes)).toEqual(new Set(['bad port']));
  expect([3000, 3001, 3002, 3900, 8080].filter((port) => BLOCKED_PORTS.has(port))).toEqual([]);
});

test('no port that fetch refuses is missing', async () => {
  const module = 'undici/lib/web/fetch/constants.js';
  const { badPorts } = (await import(module)) as { badPorts: readonly string[] };
  expect([...BLOCKED_PORTS]).toEqual(badPorts.map(Number));
});

test.each(['10080', '6000', '0', '65536', '1e3'])('the port %s is refused at start', (value) => {
  const settings = { ONE: httpPort({ default: 8_080, why: '' }), MANY: httpPorts({ default: [3_001], why: '' }) };
  expect(() => readSettings(settings, { ONE: value, MANY: `3001,${value}` })).toThrow(/\n {2}ONE=.*\n {2}MANY=/);
});

test('ports are read as numbers, and none may come twice', () => {
  const settings = { MANY: httpPorts({ default: [3_001, 3_002], why: '' }) };
  expect(readSettings(settings, {})).toEqual({ MANY: [3_001, 3_002] });
  expect(readSettings(settings, { MANY: '4001' })).toEqual({ MANY: [4_001] });
  for (const MANY of ['3001,3001', '3001,', ',3001', '3001 3002']) {
    expect(() => readSettings(settings, { MANY })).toThrow('expected different ports with commas between');
  }
});
