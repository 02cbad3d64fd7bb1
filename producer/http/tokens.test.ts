import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countEvents } from '../../database/events/read.ts';
import { problemOf, startTestApp } from '../../tests/producer-app.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { readProducerConfig } from '../config.ts';

const { db } = await useTestDatabase();

const TOKENS = ['first-token_of.two~', 'c2Vjb25k+/=='];
const guarded = () => startTestApp(db, { apiTokens: TOKENS.map((token) => hash('sha256', token)) }).app;
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

test.each(TOKENS)('a request with the token %s is served', async (token) => {
  const app = guarded();
  expect((await app.request('/create-async', { method: 'POST', ...bearer(token) })).status).toBe(202);
  expect((await app.request('/1', bearer(token))).status).toBe(200);
  expect((await app.request('/', { headers: { authorization: `bearer  ${token}` } })).status).toBe(200);
});

const ROUTES = [
  ['GET', '/'],
  ['GET', '/1'],
  ['POST', '/create-async'],
  ['POST', '/create-sync'],
  ['GET', '/nothing/here'],
  ['OPTIONS', '/create-async'],
] as const;

test.each(ROUTES)('%s %s without a token is refused, and nothing is created', async (method, path) => {
  const response = await guarded().request(path, { method });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  expect(await problemOf(response)).toMatchObject({ title: 'Unauthorized' });
  expect(await countEvents(db)).toBe(0);
});

test.each([
  'Bearer unknown',
  'Bearer ',
  'Bearer',
  `Bearer ${TOKENS[0]}x`,
  `Bearer ${TOKENS[0]} ${TOKENS[1]}`,
  `Bearer ${TOKENS.join(',')}`,
  `Bearer ${hash('sha256', TOKENS[0]!)}`, // what the configuration holds opens nothing
  `Basic ${TOKENS[0]}`,
  TOKENS[0]!,
])('Authorization: %s is refused', async (Authorization) => {
  const response = await guarded().request('/create-async', { method: 'POST', headers: { Authorization } });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer( error="invalid_token")?$/);
  expect(await problemOf(response)).toMatchObject({ title: 'Unauthorized' });
  expect(await countEvents(db)).toBe(0);
});

test.each(['/livez', '/readyz', '/docs', '/docs/start.js', '/openapi.json'])('%s needs no token', async (path) => {
  expect((await guarded().request(path)).status).toBe(200);
});

test('the OpenAPI document says that a token is asked for, and where none is', async () => {
  const { components, security, paths } = (await (await guarded().request('/openapi.json')).json()) as {
    components: { securitySchemes: unknown; schemas: unknown };
    security: unknown;
    paths: Record<string, Record<string, { security?: unknown }>>;
  };
  expect(components).toMatchObject({ securitySchemes: { token: { type: 'http', scheme: 'bearer' } }, schemas: {} });
  expect(security).toEqual([{ token: [] }]);
  expect(paths['/livez']!['get']!.security).toEqual([]);
  expect(paths['/create-sync']!['post']!).not.toHaveProperty('security');
  expect(await (await startTestApp(db).app.request('/openapi.json')).json()).toMatchObject({
    components: { securitySchemes: {} },
    security: [],
  });
});

test.each([',', ' ', '\n', ', ,'])('API_TOKENS=%j is refused rather than taken for none', (API_TOKENS) => {
  expect(() => readProducerConfig({ API_TOKENS })).toThrow(/API_TOKENS="…": expected SHA-256 hashes/);
});

test('without tokens in the configuration nobody is asked for one', async () => {
  const { app } = startTestApp(db);
  expect((await app.request('/create-async', { method: 'POST' })).status).toBe(202);
  expect((await app.request('/create-async', { method: 'POST', ...bearer('anything') })).status).toBe(202);
});

test('the commands of SECURITY.md make a token and a hash that the configuration takes', async () => {
  const commands = /```sh\n(token=[\s\S]*?)```/.exec(readFileSync('SECURITY.md', 'utf8'))![1]!;
  const output = execFileSync('sh', ['-euc', commands], { encoding: 'utf8' });
  const [token, hashed] = output.trim().split('\n') as [string, string];
  const { API_TOKENS } = readProducerConfig({ API_TOKENS: `${hash('sha256', 'other')},\n${hashed.split(' ')[0]}` });
  expect(API_TOKENS).toHaveLength(2);
  const { app } = startTestApp(db, { apiTokens: API_TOKENS });
  expect((await app.request('/', bearer(token))).status).toBe(200);
  expect((await app.request('/', bearer('other'))).status).toBe(200);
  expect((await app.request('/', bearer(`${token}0`))).status).toBe(401);
});
