import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { toWord } from '../handlers/words.ts';
import { type Behaviour, behaviourSchema, FAULTS } from './behaviour.ts';
import { createWordService } from './server.ts';

async function startService(behaviour: Partial<Behaviour> = {}): Promise<string> {
  const server = createWordService(behaviourSchema.parse(behaviour));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const startFaulty = (fault: Behaviour['fault']) => startService({ fault, faultRate: 1 });
const put = (url: string, body: string) => fetch(`${url}/behaviour`, { method: 'PUT', body });

async function wordsOf(response: Response): Promise<string[]> {
  return ((await response.json()) as { word: string }[]).map(({ word }) => word);
}

describe('the contract', () => {
  test('an answer is a list of objects with a word and nothing else, in UTF-8', async () => {
    const response = await fetch(`${await startService()}/api?language=pt-br&words=3`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    const one = { word: expect.any(String) };
    expect(await response.json()).toEqual([one, one, one]);
  });

  test.each([
    ['', 1],
    ['?words=1', 1],
    ['?language=pt-br', 1],
    ['?words=10000', 10_000],
  ])('/api%s answers %i words', async (query, count) => {
    expect(await wordsOf(await fetch(`${await startService()}/api${query}`))).toHaveLength(count);
  });

  test.each(['0', '-1', '1.5', '1e3', '007', '10001', '99999999999999999999', 'many', '', '%00', '2,3'])(
    'words=%s is a 400',
    async (words) => {
      const response = await fetch(`${await startService()}/api?language=pt-br&words=${words}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({ error: expect.stringContaining('1 to 10000') });
    },
  );

  test.each(['en', 'pt', '', 'pt-BR'])('language=%s is a 400', async (language) => {
    const response = await fetch(`${await startService()}/api?language=${language}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringContaining('pt-br') });
  });

  test('any other address is a 404, and /livez says that it runs', async () => {
    const url = await startService();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/api`, { method: 'POST' })).status).toBe(404);
    expect(await (await fetch(`${url}/livez`)).json()).toEqual({ status: 'live' });
  });
});

test('there are more than 2,000 words, with accents and hyphens among them, and a consumer takes each', async () => {
  const url = `${await startService()}/api?language=pt-br&words=10000`;
  const words = new Set([...(await wordsOf(await fetch(url))), ...(await wordsOf(await fetch(url)))]);
  expect(words.size).toBeGreaterThan(2_000);
  expect([...words].filter((word) => /[áâãàéêíóôõúç]/.test(word)).length).toBeGreaterThan(100);
  const refused = [...words].filter((word) => typeof toWord(word) !== 'string');
  expect(refused).toEqual([]);
});

describe('a fault', () => {
  test.each<[Behaviour['fault'], number, Record<string, string>]>([
    ['error', 500, {}],
    ['busy', 429, { 'retry-after': '1' }],
    ['missing', 404, {}],
    ['redirect', 302, { location: '/api' }],
    ['html', 200, { 'content-type': 'text/html' }],
  ])('"%s" is a %i', async (fault, status, headers) => {
    const response = await fetch(`${await startFaulty(fault)}/api`, { redirect: 'manual' });
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toMatchObject(headers);
    expect(await response.text()).not.toContain('"word"');
  });

  test('"close" cuts the connection before the answer', async () => {
    await expect(fetch(`${await startFaulty('close')}/api`)).rejects.toThrow('fetch failed');
  });

  test('"reset" cuts it in the middle of the answer', async () => {
    const response = await fetch(`${await startFaulty('reset')}/api`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('terminated');
  });

  test('"silence" does not answer', async () => {
    const answer = fetch(`${await startFaulty('silence')}/api`, { signal: AbortSignal.timeout(200) });
    await expect(answer).rejects.toThrow('timeout');
  });

  test('"empty" is a list without a word', async () => {
    expect(await (await fetch(`${await startFaulty('empty')}/api?words=5`)).json()).toEqual([]);
  });

  test.each([
    [9, 4],
    [1, 1],
  ])('"fewer": of %i words come %i', async (asked, come) => {
    expect(await wordsOf(await fetch(`${await startFaulty('fewer')}/api?words=${asked}`))).toHaveLength(come);
  });

  test('"not-words": every second word is none', async () => {
    const words = await wordsOf(await fetch(`${await startFaulty('not-words')}/api?words=6`));
    expect(words.map((word) => typeof toWord(word) === 'string')).toEqual([true, false, true, false, true, false]);
  });

  test.each(FAULTS)('"%s" happens only as often as said: never at rate 0', async (fault) => {
    const url = await startService({ fault, faultRate: 0 });
    expect(await wordsOf(await fetch(`${url}/api?words=4`))).toHaveLength(4);
  });

  test('at a rate of a half meets some calls and spares others', async () => {
    const url = await startService({ fault: 'missing', faultRate: 0.5 });
    const statuses = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${url}/api`)).status));
    expect(new Set(statuses)).toEqual(new Set([200, 404]));
  });
});

test('each answer takes as long as said', async () => {
  const url = await startService({ latencyMs: 100, jitterMs: 50 });
  const begin = performance.now();
  await wordsOf(await fetch(`${url}/api`));
  expect(performance.now() - begin).toBeGreaterThan(95);
});

describe('PUT /behaviour', () => {
  test('changes how the service behaves while it runs, and GET shows it', async () => {
    const url = await startService();
    const response = await put(url, '{"faultRate":1,"fault":"missing"}');
    expect(response.status).toBe(200);
    const behaviour = { latencyMs: 0, jitterMs: 0, faultRate: 1, fault: 'missing' };
    expect(await response.json()).toEqual(behaviour);
    expect(await (await fetch(`${url}/behaviour`)).json()).toEqual(behaviour);
    expect((await fetch(`${url}/api`)).status).toBe(404);
    await put(url, '{}');
    expect((await fetch(`${url}/api`)).status).toBe(200);
  });

  test.each([
    ['no JSON', 'latencyMs=5'],
    ['nothing', ''],
    ['a list', '[]'],
    ['a setting that it does not know', '{"latency":5}'],
    ['a fault that it does not know', '{"fault":"fire"}'],
    ['a rate above 1', '{"faultRate":2}'],
    ['a latency below 0', '{"latencyMs":-1}'],
    ['a latency in words', '{"latencyMs":"5"}'],
    ['more than it reads', JSON.stringify({ fault: 'x'.repeat(100_000) })],
  ])('with %s is a 400 and changes nothing', async (_, body) => {
    const url = await startService({ latencyMs: 3 });
    const response = await put(url, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/./) });
    expect(await (await fetch(`${url}/behaviour`)).json()).toMatchObject({ latencyMs: 3 });
  });
});
