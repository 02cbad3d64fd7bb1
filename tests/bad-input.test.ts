import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { countEvents } from '../database/events/read.ts';
import { closeServer } from '../producer/http/close-server.ts';
import { listen, portOf } from '../producer/http/server.ts';
import { createBodyLimits } from '../producer/routes/new-events-in-body.ts';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { layOutNginx } from '../start/nginx.ts';
import { findProgram } from '../start/programs.ts';
import { type BadRequest, badRequests } from './bad-requests.ts';
import { startTestApp } from './producer-app.ts';
import { exchange, type RawAnswer } from './raw-exchange.ts';
import { useTestDatabase } from './test-database.ts';

/** Every row of bad-requests.ts, as bytes on a socket: straight at a producer, and through nginx. */

const { db } = await useTestDatabase();
let statements = 0;
let forgets = 0;
const countedDb = db.withPlugin({
  transformQuery({ node }) {
    const text = JSON.stringify(node);
    // Both come whenever their time does.
    if (text.includes('forget_keys')) forgets++;
    else if (!text.includes('looked_at')) statements++;
    return node;
  },
  transformResult: async ({ result }) => result,
});
const { app } = startTestApp(countedDb, {}, afterAll);
const server = await listen(app, { bodyLimits: createBodyLimits(65_536) });
const directory = mkdtempSync(join(tmpdir(), 'event-queue-nginx-'));
const nginxPort = await freePort();
const nginx = spawnChild(findProgram('nginx')!, layOutNginx(directory, nginxPort, [portOf(server)]), {
  stdio: 'ignore',
});

beforeAll(async () => {
  await vi.waitFor(() => fetch(`http://127.0.0.1:${nginxPort}/livez`), { timeout: 10_000 });
  // The first is one of the start's checks, and the second comes after them.
  await vi.waitFor(() => expect(forgets).toBeGreaterThan(1), { timeout: 10_000 });
});

afterAll(async () => {
  await stopProcess(nginx, 5_000);
  await closeServer(server, { graceMs: 0 });
  rmSync(directory, { recursive: true });
});

describe.each([
  { target: 'a producer', port: portOf(server), isNginx: false },
  { target: 'nginx', port: nginxPort, isNginx: true },
])('$target answers', ({ port, isNginx }) => {
  test.each<BadRequest>(badRequests)('to $name', async ({ bytes, reads = 0, allow, throughNginx, ...asProducer }) => {
    statements = 0;
    const got = await exchange(port, bytes);
    const statuses = got.map(({ status }) => status);
    const mayDoAlike = throughNginx?.older || throughNginx?.sometimes;
    const doesAlike = mayDoAlike && isDeepStrictEqual(statuses, asProducer.answers);
    const { answers, creates = 0 } = (isNginx && !doesAlike && throughNginx) || asProducer;
    expect(statuses).toEqual(answers);
    expect(await countEvents(db)).toBe(creates);
    if (creates === 0) expect(statements).toBe(reads);
    expect('bad' in {}).toBe(false);
    for (const answer of got) expectWellFormed(answer, bytes.startsWith('HEAD '));
    if (allow !== undefined) expect(got[0]!.headers['allow']).toBe(allow);
  });
});

function expectWellFormed({ status, headers, body }: RawAnswer, isHead: boolean): void {
  expect(Object.keys(headers).filter((name) => /^access-control-|^x-powered-by$/.test(name))).toEqual([]);
  expect(headers['server'] ?? 'nginx').toBe('nginx');
  if (status < 400) return;
  expect(headers['content-type']).toBe('application/problem+json');
  if (status === 405) expect(headers).toHaveProperty('allow');
  if (isHead) return;
  expect(JSON.parse(body)).toEqual({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z][A-Za-z -]+$/),
    status,
    detail: expect.stringMatching(/^\w.*\.$/),
    requestId: headers['x-request-id'],
  });
  // Nothing of what is behind it.
  expect(body).not.toMatch(/select|insert|mysql|maria|node_modules|\.ts\b|127\.0\.0\.1|\/tmp|HPE_/i);
}
