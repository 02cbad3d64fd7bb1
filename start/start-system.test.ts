import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Part } from './part.ts';
import { startSystem } from './start-system.ts';

const NEVER = new AbortController().signal;

/** Parts that write down what happens to them. */
function createParts() {
  const log: string[] = [];
  const part = (name: string, readyAfterMs = 0): Part => ({
    name,
    async start(signal) {
      log.push(`start ${name}`);
      await sleep(readyAfterMs, undefined, { signal }).catch(() => {});
      log.push(`${name} is ready`);
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const stop = async () => {
        if (!log.includes(`stop ${name}`)) log.push(`stop ${name}`);
        resolve();
      };
      return { ended, stop };
    },
  });
  const failing = (name: string): Part => ({ name, start: () => Promise.reject(new Error(`${name} cannot start`)) });
  return { log, part, failing, say: (line: string) => void log.push(line) };
}

test('stages start one after the other, and stop in reverse', async () => {
  const { log, part, say } = createParts();
  const system = await startSystem([[part('mysql', 10)], [part('one', 20), part('two', 10)], []], say, NEVER);
  await system.stop();
  expect(log.join(', ')).toBe(
    'start mysql, mysql is ready, start one, start two, two is ready, one is ready, stop two, stop one, stop mysql',
  );
});

test('when a part cannot start, the others of its stage need not get ready, and all are stopped', async () => {
  const { log, part, failing, say } = createParts();
  const stages = [[part('mysql')], [failing('one'), part('two', 60_000)], [part('three')]];
  await expect(startSystem(stages, say, NEVER)).rejects.toThrow('one cannot start');
  expect(log.filter((line) => !line.includes('ready'))).toEqual(['start mysql', 'start two', 'stop two', 'stop mysql']);
});

test('Ctrl-C before all is ready starts nothing more, and what runs can be stopped', async () => {
  const { log, part, say } = createParts();
  const stop = new AbortController();
  const starting = startSystem([[part('mysql', 60_000)], [part('one')]], say, stop.signal);
  stop.abort();
  await (await starting).stop();
  expect(log).toEqual(['start mysql', 'mysql is ready', 'stop mysql']);
});
