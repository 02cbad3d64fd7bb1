import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { startTestApp } from '../../tests/producer-app.ts';
import { useTestDatabase } from '../../tests/test-database.ts';

const { db } = await useTestDatabase();

const OURS = 'https://shop.example:8443';
const corsOrigins = [OURS, 'http://localhost:5173'];
const preflight = (origin: string, method = 'POST') => ({
  method: 'OPTIONS',
  headers: { Origin: origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'prefer' },
});
const corsHeaders = (response: Response) =>
  [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));

test.each(corsOrigins)('a page of the listed origin %s may call, and reads what it needs', async (Origin) => {
  const { app } = startTestApp(db, { corsOrigins });
  const response = await app.request('/create-async', { method: 'POST', headers: { Origin } });
  expect(response.status).toBe(202);
  expect(response.headers.get('access-control-allow-origin')).toBe(Origin);
  expect(response.headers.get('access-control-expose-headers')).toMatch(/Location.*Retry-After/);
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  expect(response.headers.get('vary')).toBe('Origin');
  expect(response.headers.get('x-request-id')).toMatch(/./);
  expect(response.headers.get('location')).toBe('/1');
});

test.each(['/x', '/99', '/nothing/here'])('a page of a listed origin can read the problem at %s too', async (path) => {
  const { app } = startTestApp(db, { corsOrigins });
  const response = await app.request(path, { headers: { Origin: OURS } });
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.headers.get('access-control-allow-origin')).toBe(OURS);
});

test('its browser is told beforehand what may be sent, without a token', async () => {
  const { app } = startTestApp(db, { corsOrigins, apiTokens: [hash('sha256', 'secret')] });
  const response = await app.request('/create-sync', preflight(OURS));
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe(OURS);
  expect(response.headers.get('access-control-allow-methods')).toBe('GET,HEAD,POST');
  expect(response.headers.get('access-control-allow-headers')).toMatch(
    /Authorization.*Event-Key.*Idempotency-Key.*Prefer/,
  );
  expect(response.headers.get('access-control-max-age')).toBe('600');
});

test.each([
  'https://evil.example',
  'http://shop.example:8443',
  'https://shop.example',
  `${OURS}.evil.example`,
  `https://evil.example/${OURS}`,
  'null',
  '',
])('the origin %j is not listed and gets no CORS header', async (Origin) => {
  const { app } = startTestApp(db, { corsOrigins });
  for (const request of [{ headers: { Origin } }, preflight(Origin)]) {
    const response = await app.request('/', request);
    expect(corsHeaders(response)).toEqual([]);
    expect(response.headers.get('vary')).toBe('Origin');
  }
});

test('where none is listed there is no CORS header at all, and OPTIONS tells the methods', async () => {
  const { app } = startTestApp(db);
  for (const request of [{ headers: { Origin: OURS } }, preflight(OURS)]) {
    const response = await app.request('/', request);
    expect(corsHeaders(response)).toEqual([]);
    expect(response.headers.get('vary')).toBeNull();
  }
  expect((await app.request('/create-async', preflight(OURS))).headers.get('allow')).toBe('POST, OPTIONS');
});

test('OPTIONS that is no preflight tells the methods also to a listed origin', async () => {
  const { app } = startTestApp(db, { corsOrigins });
  const response = await app.request('/create-async', { method: 'OPTIONS', headers: { Origin: OURS } });
  expect(response.headers.get('allow')).toBe('POST, OPTIONS');
});
