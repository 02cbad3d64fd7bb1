import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { DatabaseError } from '../database/database-error.ts';
import { createEvents } from '../database/events/create.ts';
import { KEY_PATTERN, KIND_PATTERN } from '../database/events/limits.ts';
import { claimAll, fillAll, killAll, startTestApp } from '../tests/producer-app.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { IDEMPOTENCY_KEY } from './http/idempotency-key.ts';
import {
  createdSchema,
  eventCountSchema,
  eventSchema,
  filledEventSchema,
  healthSchema,
  problemSchema,
} from './openapi/schemas.ts';

/** The document against what the app has and does. */

interface Operation {
  parameters?: { name: string; in: string; schema: { pattern?: string; minimum?: number; maximum?: number } }[];
  responses: Record<string, { description: string; content?: Record<string, { schema: { $ref?: string } }> }>;
}

interface Description {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

const { db } = await useTestDatabase();

async function readDescription(): Promise<Description> {
  const { app } = startTestApp(db);
  const response = await app.request('/openapi.json');
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return (await response.json()) as Description;
}

/** Every string under a `$ref`, wherever it stands. */
function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : refsIn(inner)));
}

function resolve(description: unknown, ref: string): unknown {
  const keys = ref.replace(/^#\//, '').split('/');
  return keys.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], description);
}

test('the document is OpenAPI 3.1 with a title and a version', async () => {
  const { openapi, info } = await readDescription();
  expect(openapi).toMatch(/^3\.1\.\d+$/);
  expect(info).toMatchObject({ title: expect.stringMatching(/./), version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
});

test('the document has every route of the app, and no other', async () => {
  const { app } = startTestApp(db);
  const { paths } = await readDescription();
  // ALL is what answers 405; the documentation does not document itself.
  const served = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !/^\/(docs(\/|$)|openapi\.json$)/.test(path))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/, '{$1}')}`);
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(documented.toSorted()).toEqual([...new Set(served)].toSorted());
  expect(documented).toContain('POST /create-sync');
});

test('every reference leads somewhere', async () => {
  const description = await readDescription();
  const refs = refsIn(description);
  expect(refs).toContain('#/components/schemas/Event');
  expect(refs.filter((ref) => typeof resolve(description, ref) !== 'object')).toEqual([]);
});

test('each operation says what every answer means, and each path names its parameters', async () => {
  const { paths } = await readDescription();
  for (const [path, operations] of Object.entries(paths)) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const { parameters = [], responses } of Object.values(operations)) {
      expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(named);
      for (const { description } of Object.values(responses)) expect(description).toMatch(/^[A-Z]/);
    }
  }
});

const operatorTokens = [hash('sha256', 'operator')];

test.each([
  ['POST', '/create-async', 'count', (value: number) => `/create-async?count=${value}`],
  ['GET', '/{id}', 'id', (value: number) => `/${value}`],
  ['GET', '/operator/dead', 'limit', (value: number) => `/operator/dead?limit=${value}`],
  ['GET', '/operator/dead', 'after', (value: number) => `/operator/dead?after=${value}`],
  ['GET', '/operator/events/{id}', 'id', (value: number) => `/operator/events/${value}`],
])('%s %s takes the parameter %s within the bounds of the document, and not beyond', async (method, path, name, at) => {
  const { app } = startTestApp(db, { operatorTokens });
  const { paths } = (await (await app.request('/openapi.json')).json()) as Description;
  const { schema } = paths[path]![method.toLowerCase()]!.parameters!.find((parameter) => parameter.name === name)!;
  expect(schema).toMatchObject({ type: 'integer', minimum: expect.any(Number), maximum: expect.any(Number) });
  const isMalformed = async (value: number) => {
    const headers = { Authorization: 'Bearer operator' };
    return (await app.request(at(value), { method, headers })).status === 400;
  };
  const { minimum, maximum } = schema as { minimum: number; maximum: number };
  expect([await isMalformed(minimum), await isMalformed(maximum)]).toEqual([false, false]);
  expect([await isMalformed(minimum - 1), await isMalformed(maximum + 1)]).toEqual([true, true]);
});

test('the document has the pattern that an Idempotency-Key is read by', async () => {
  const { paths } = await readDescription();
  for (const path of ['/create-async', '/create-sync']) {
    const { schema } = paths[path]!['post']!.parameters!.find(({ name }) => name === 'Idempotency-Key')!;
    expect(schema.pattern).toBe(IDEMPOTENCY_KEY.source);
  }
});

test('the document says of an event and of a list what is checked', async () => {
  const { components } = (await readDescription()) as unknown as { components: { schemas: Record<string, unknown> } };
  expect(components.schemas['NewEvent']).toMatchObject({
    properties: { kind: { pattern: KIND_PATTERN.source }, key: { pattern: KEY_PATTERN.source }, payload: {} },
    additionalProperties: false,
  });
  expect(components.schemas['NewEvents']).toMatchObject({
    properties: { events: { items: { $ref: '#/components/schemas/NewEvent' }, minItems: 1, maxItems: 10_000 } },
    required: ['events'],
  });
});

const unknown = new DatabaseError(Object.assign(new Error('lost'), { code: 'ECONNRESET' }), true);
const POST = { method: 'POST' };
const textBody = (type: string, body: string) => ({
  ...POST,
  body,
  headers: { 'Content-Type': type, 'Content-Length': String(body.length) },
});
const json = (body: string) => textBody('application/json', body);
const wait = (seconds: number) => ({ ...POST, headers: { Prefer: `wait=${seconds}` } });

type Answer = [
  request: string,
  status: number,
  schema: z.ZodObject,
  init?: RequestInit,
  before?: () => Promise<unknown>,
];

describe('real answers are what the document says of them', () => {
  test.each<Answer>([
    ['GET /', 200, eventCountSchema],
    ['GET /{id}', 200, eventSchema],
    ['GET /{id}', 200, eventSchema, {}, () => claimAll(db)],
    ['GET /{id}', 200, eventSchema, {}, () => fillAll(db, 'palavra')],
    ['GET /{id}', 200, eventSchema, {}, () => killAll(db)],
    ['GET /livez', 200, healthSchema],
    ['GET /readyz', 200, healthSchema],
    ['GET /{id}', 404, problemSchema, {}, () => sql`DELETE FROM Events`.execute(db)],
    ['POST /create-async', 202, createdSchema, POST],
    ['POST /create-async?count=5', 202, createdSchema, POST],
    ['POST /create-async', 202, createdSchema, json('{"kind":"email","payload":{"to":"ana"},"key":"k","delayMs":5}')],
    ['POST /create-async', 202, createdSchema, json('{"events":[{},{"kind":"email"}]}')],
    ['POST /create-async', 422, problemSchema, json('{"kind":"Bad Kind"}')],
    ['POST /create-async?count=x', 400, problemSchema, POST],
    ['POST /create-async', 400, problemSchema, json('{')],
    ['POST /create-async', 413, problemSchema, json(' '.repeat(8_388_609))],
    ['POST /create-async', 415, problemSchema, textBody('text/plain', 'x')],
    ['POST /create-async', 422, problemSchema, json('[]')],
    ['POST /create-sync', 202, createdSchema, wait(0)],
    ['POST /create-sync', 400, problemSchema, json('{')],
    ['POST /create-sync', 413, problemSchema, json(' '.repeat(70_000))],
    ['POST /create-sync', 415, problemSchema, textBody('text/plain', 'x')],
    ['POST /create-sync', 422, problemSchema, json('[]')],
  ])('%s answers %i', async (request, status, schema, init = {}, before = async () => {}) => {
    const { app } = startTestApp(db);
    await createEvents(db, [{}]);
    await before();
    const [method, path] = request.split(' ') as [string, string];
    await expectDocumented(request, status, schema, await app.request(path.replace('{id}', '1'), { method, ...init }));
  });

  test.each([
    [201, filledEventSchema, () => fillAll(db, 'palavra')],
    [502, problemSchema, () => killAll(db)],
    [410, problemSchema, () => sql`DELETE FROM Events`.execute(db)],
  ] as const)('POST /create-sync answers %i', async (status, schema, settle) => {
    const { app, waiting } = startTestApp(db);
    const answer = app.request('/create-sync', POST);
    await expect.poll(waiting).toBe(1);
    await settle();
    await expectDocumented('POST /create-sync', status, schema, await answer);
  });

  const routes = ['GET /', 'GET /{id}', 'GET /readyz', 'POST /create-async', 'POST /create-sync'];
  test.each(routes.flatMap((request) => [[request, 503, unknown] as const, [request, 500, new Error('bug')] as const]))(
    '%s answers %i',
    async (request, status, error) => {
      const fail = () => Promise.reject(error);
      const { app } = startTestApp(db, { createEvents: fail, countEvents: fail, checkReady: fail, findEvent: fail });
      const [method, path] = request.split(' ') as [string, string];
      const response = await app.request(path.replace('{id}', '1'), { method });
      await expectDocumented(request, status, problemSchema, response);
    },
  );

  /** The document names the status, the type and the schema of the answer, which fits the schema to the last member. */
  async function expectDocumented(request: string, status: number, schema: z.ZodObject, response: Response) {
    expect(response.status).toBe(status);
    const [method, path] = request.toLowerCase().replace(/\?.*/, '').split(' ') as [string, string];
    const content = (await readDescription()).paths[path]?.[method]?.responses[status]?.content;
    const type = response.headers.get('content-type')!;
    expect(content?.[type]?.schema.$ref).toBe(`#/components/schemas/${schema.meta()?.id}`);
    expect(schema.strict().safeParse(await response.json())).toMatchObject({ success: true });
  }
});

test('the page for people loads all it needs from the producer itself', async () => {
  const { app } = startTestApp(db);
  const page = await app.request('/docs');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  const loaded = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect(loaded.length).toBeGreaterThan(3);
  for (const path of loaded) {
    const response = await app.request(path);
    expect([path, response.status]).toEqual([expect.stringMatching(/^\/docs\//), 200]);
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(50);
  }
});
