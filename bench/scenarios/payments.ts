import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import {
  countInconsistent,
  countPaid,
  countRecorded,
  findMispaid,
  isConsistent,
  type Load,
  postPayments,
  runJudgedLoad,
  totalsOf,
} from '../../examples/payments/judged-load.ts';
import { freePort } from '../../start/free-port.ts';
import { layOutNginx } from '../../start/nginx.ts';
import { findProgram } from '../../start/programs.ts';
import { isRunning, type NpmProcess, startNpm } from '../../tests/npm-process.ts';
import { startBenchProcess } from '../bench-process.ts';
import { residentMegabytes } from '../process-usage.ts';
import { quantile } from '../quantile.ts';
import type { Row, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const WINDOWS = 300;
const ENDED_MS = 2_000;

/** E1: the example payments as `npm run example` starts it, under the whole load that it is judged by. */
export const payments: Scenario = {
  names: ['E1'],
  what: 'the example payments under its judged load: 1 to 550 callers in 60 s, processors that get slow and fail',
  seconds: 100,
  async run(stage) {
    const shape = { users: stage.pick(550, 100), seconds: stage.pick(60, 15) };
    const alone = await loadNginxAlone({ ...shape, seconds: shape.seconds / 3 }, stage);
    return { rows: await loadPayments(shape, alone, stage) };
  },
};

type Shape = Pick<Load, 'users' | 'seconds'>;

async function loadPayments(shape: Shape, alone: number[], { directory, say }: Stage): Promise<Row[]> {
  say('starting the example');
  const env = { DATA_DIRECTORY: directory };
  const npm = await startNpm(['run', 'example', '--', 'payments'], { env, ready: 'Ctrl-C stops everything' });
  try {
    const load = { ...shape, ...addressesOf(npm.lines), delaysMs: [0, 100, 2_000, 20, 0] };
    say(`1 to ${load.users} callers in ${load.seconds} s`);
    const over = new AbortController();
    const watching = watchWindows(load, over.signal);
    const accepted = await runJudgedLoad(load).finally(() => over.abort());
    const live = await watching;
    const memory = memoryOf(npm);
    say('waiting until all is recorded');
    const ids = [...accepted.payments.keys()];
    const giveUpAt = Date.now() + 60_000;
    while ((await countRecorded(load.front)) < ids.length && Date.now() < giveUpAt) await sleep(50);
    const tail = (Date.now() - accepted.endedAt) / 1_000;
    await sleep(ENDED_MS);
    say(`looking up ${ids.length} payments, and ${WINDOWS} windows`);
    const { missing, twice } = await findMispaid(load, ids);
    const inconsistent = await countInconsistent(load, accepted, WINDOWS);
    const [paid, recorded] = [await countPaid(load), await countRecorded(load.front)];
    const cheaper = (await totalsOf(load.processors.default)).totalRequests;
    const row = (what: string, unit: string, value: number, more: Partial<Row> = {}): Row => ({
      scenario: 'E1',
      what,
      unit,
      ours: [value],
      ...more,
    });
    const none = { bar: { atMost: 0 } };
    const beside = (share: number) => ({ baseline: { name: 'nginx alone', values: [quantile(alone, share)] } });
    const latencies = accepted.latencies.toSorted((a, b) => a - b);
    return [
      row('accepted', 'payments', ids.length),
      row('repeated without a 202', 'POSTs', accepted.repeats),
      row('accepted and not paid', 'payments', missing, none),
      row('paid at both', 'payments', twice, none),
      row('paid or recorded beside those', 'payments', Math.abs(paid - ids.length) + Math.abs(recorded - paid), none),
      row(`inconsistent of ${WINDOWS} windows`, 'windows', inconsistent, none),
      row(`inconsistent of ${live.asked}, asked 2 s after their end`, 'windows', live.inconsistent),
      row(`… of ${live.slow.asked} more, while the processors take 2 s`, 'windows', live.slow.inconsistent),
      row('POST p50', 'ms', quantile(latencies, 0.5), beside(0.5)),
      row('POST p99', 'ms', quantile(latencies, 0.99), beside(0.99)),
      row('last accepted to all recorded', 's', tail),
      row('paid at the cheaper processor', '%', (100 * cheaper) / ids.length),
      ...Object.entries(memory).map(([name, megabytes]) => row(`memory of ${name}`, 'MB', megabytes)),
    ];
  } finally {
    if (npm.processes().some(({ pid }) => isRunning(pid))) await npm.interrupt();
  }
}

function addressesOf(lines: readonly string[]): Pick<Load, 'front' | 'processors'> {
  const text = stripVTControlCharacters(lines.join('\n'));
  const find = (pattern: RegExp) => pattern.exec(text)![1]!;
  return {
    front: find(/front door: (\S+)/),
    processors: {
      default: find(/^default .*listening on (\S+)/m),
      fallback: find(/^fallback .*listening on (\S+)/m),
    },
  };
}

/**
 * Twice a second the ten seconds that ended two seconds ago. Apart are those that ended while a processor takes two seconds for
 * its record, or did a second before: its own numbers are not final yet.
 */
async function watchWindows(load: Load, over: AbortSignal) {
  const seen = { asked: 0, inconsistent: 0, slow: { asked: 0, inconsistent: 0 } };
  const startedAt = Date.now();
  const stepMs = (load.seconds * 1_000) / (load.delaysMs.length + 1);
  while (!over.aborted) {
    const to = Date.now() - ENDED_MS;
    const isEqual = await isConsistent(load, to - 10_000, to);
    const isSlow = [to, to - 1_000].some((at) => load.delaysMs[Math.floor((at - startedAt) / stepMs)]! >= ENDED_MS);
    const counts = isSlow ? seen.slow : seen;
    if (!isEqual) counts.inconsistent++;
    counts.asked++;
    await sleep(500);
  }
  return seen;
}

function memoryOf(npm: NpmProcess): Record<string, number> {
  const parts: Record<string, RegExp> = {
    'two API processes': /payments\/main\.ts/,
    'two consumers': /consumer\/main\.ts/,
    "nginx's worker": /nginx: worker/,
    MySQL: /(mysqld|mariadbd) /,
  };
  const processes = npm.processes();
  const pidsOf = (command: RegExp) => processes.filter((one) => command.test(one.command)).map(({ pid }) => pid);
  return Object.fromEntries(Object.entries(parts).map(([name, command]) => [name, residentMegabytes(pidsOf(command))]));
}

const ANSWERS_ITSELF = `
  worker_processes 1;
  events { worker_connections 4096; }
  http {
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server { include site/listen.conf; location / { return 202; } }
  }`;

/** The latencies of the same callers, in ascending order, when nginx answers by itself. */
async function loadNginxAlone(shape: Shape, { directory: parent, say }: Stage): Promise<number[]> {
  say(`nginx alone for ${shape.seconds} s`);
  const port = await freePort();
  const front = `http://127.0.0.1:${port}`;
  const directory = join(parent, 'nginx-alone');
  const conf = `${directory}.conf`;
  await writeFile(conf, ANSWERS_ITSELF);
  const args = layOutNginx(directory, port, [], conf);
  const nginx = await startBenchProcess({
    name: 'nginx-alone',
    command: findProgram('nginx')!,
    args,
    env: {},
    directory,
    readyUrl: front,
  });
  try {
    const { latencies } = await postPayments({ ...shape, front });
    return latencies.toSorted((a, b) => a - b);
  } finally {
    await nginx.stop();
  }
}
