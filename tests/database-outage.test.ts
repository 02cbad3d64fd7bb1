import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { connectDatabase } from '../database/connect.ts';
import { loadSchema } from '../database/load-schema.ts';
import { spawnChild, stopProcess } from '../start/child-process.ts';
import { freePort } from '../start/free-port.ts';
import { startLocalServer } from '../start/mysql/local-server.ts';
import { behaviourSchema } from '../word-service/behaviour.ts';
import { createWordService } from '../word-service/server.ts';
import { copyFreshServer } from './fresh-server.ts';

/** A process of ours whose JSON lines are collected. */
function startProcess(folder: string, env: Record<string, string>) {
  const child = spawnChild(process.execPath, [`${folder}/main.ts`], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: { msg: string }[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line) as { msg: string }));
  const said = (what: RegExp) => lines.filter(({ msg }) => what.test(msg)).length;
  return { child, said };
}

test('processes wait for a database that is not there yet or goes away, say so once, and recover by themselves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-outage-'));
  const words = createWordService(behaviourSchema.parse({})).listen(0, '127.0.0.1');
  await once(words, 'listening');
  const [databasePort, port] = await Promise.all([freePort(), freePort()]);
  const options = { directory, port: databasePort };
  const env = {
    DATABASE_URL: `mysql://user:password@127.0.0.1:${databasePort}/messages`,
    WORD_SERVICE_URL: `http://127.0.0.1:${(words.address() as AddressInfo).port}/api`,
    PORT: String(port),
    SHUTDOWN_GRACE_MS: '4000',
  };
  // The schema is there, the server is not.
  await copyFreshServer(directory);
  const first = await startLocalServer(options);
  const db = connectDatabase({ url: first.url() });
  await loadSchema(db);
  await db.destroy();
  await first.stop();

  const producer = startProcess('producer', env);
  const consumer = startProcess('consumer', env);
  const front = `http://127.0.0.1:${port}`;
  let server: Awaited<ReturnType<typeof startLocalServer>> | undefined;
  try {
    for (let outage = 1; outage <= 3; outage++) {
      // Nobody asks an idle producer anything; a probe does. It says so at most every five seconds.
      const probed = async () => {
        expect((await fetch(`${front}/readyz`)).status).toBe(503);
        return producer.said(/database lost/);
      };
      await expect.poll(probed, { timeout: 20_000 }).toBe(outage);
      await expect.poll(() => consumer.said(/database lost/), { timeout: 10_000 }).toBe(outage);
      const refused = await fetch(`${front}/create-async`, { method: 'POST' });
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ title: 'Service Unavailable' });
      expect((await fetch(`${front}/livez`)).status).toBe(200);

      server = await startLocalServer(options);
      const created = await fetch(`${front}/create-sync`, { method: 'POST' });
      expect(created.status).toBe(201);
      await expect.poll(() => producer.said(/database is back/)).toBe(outage);
      await expect.poll(() => consumer.said(/database is back/)).toBe(outage);
      expect((await fetch(`${front}/readyz`)).status).toBe(200);
      if (outage < 3) {
        process.kill(server.pid, 'SIGKILL');
        await server.ended;
      }
    }
    expect([producer.said(/lost/), consumer.said(/lost/)]).toEqual([3, 3]);

    // A server that is frozen says nothing at all, not even goodbye: stopping ends all the same.
    process.kill(server!.pid, 'SIGSTOP');
    const exits = [producer, consumer].map(({ child }) => once(child, 'exit'));
    for (const { child } of [producer, consumer]) child.kill('SIGTERM');
    expect(await Promise.all(exits)).toEqual([
      [0, null],
      [0, null],
    ]);
    process.kill(server!.pid, 'SIGCONT');
  } finally {
    await Promise.all([producer, consumer].map(({ child }) => stopProcess(child, 10_000)));
    await server?.stop();
    words.close();
    await rm(directory, { recursive: true });
  }
});
