import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { hasEnded, spawnChild, stopProcess } from '../../start/child-process.ts';
import { freePort } from '../../start/free-port.ts';
import { findProgram } from '../../start/programs.ts';
import { MissingProgramError, type Server } from './server.ts';

// The append-only file alone, synced before each answer: as durable as the other servers' commits. BullMQ's own advice
// (guide/going-to-production.md) is a sync each second, which is faster and may lose that second. noeviction is a must there.
const SETTINGS = { appendonly: 'yes', appendfsync: 'always', save: '', 'maxmemory-policy': 'noeviction' };

export async function startRedis(directory: string): Promise<Server> {
  const program = findProgram('redis-server', 'valkey-server');
  if (!program) throw new MissingProgramError('Redis is not installed; on Debian: apt-get install redis-server.');
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const settings = Object.entries({ ...SETTINGS, port, bind: '127.0.0.1', dir: directory });
  const log = await open(join(directory, 'server.log'), 'w');
  const args = settings.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = spawnChild(program, args, { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const url = `redis://127.0.0.1:${port}`;
  for (const giveUpAt = Date.now() + 30_000; ; await sleep(50)) {
    const version = await ask(url, async (redis) => /redis_version:(\S+)/.exec(await redis.info('server'))?.[1]).catch(
      () => undefined,
    );
    if (version) {
      return {
        kind: 'redis',
        name: 'Redis',
        version,
        settings: Object.entries(SETTINGS)
          .map(([name, value]) => `${name}=${value || '""'}`)
          .join(' '),
        freshUrl: async () => {
          await ask(url, (redis) => redis.flushall());
          return url;
        },
        stop: () => stopProcess(server, 30_000),
      };
    }
    if (hasEnded(server) || Date.now() > giveUpAt) {
      await stopProcess(server, 0);
      throw new Error(`Redis did not start; see ${directory}/server.log`);
    }
  }
}

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
