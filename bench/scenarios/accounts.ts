import { connectDatabase } from '../../database/connect.ts';
import { loadScript } from '../../database/load-script.ts';
import { LITTLE_MEMORY } from '../../examples/accounts/example.ts';
import { contradictionsOf, faultsOf, readStream } from '../../examples/accounts/load/contradictions.ts';
import { JUDGED, sendRisingLoad } from '../../examples/accounts/load/rising-load.ts';
import { SERVER_ARGS } from '../../examples/stage.ts';
import type { LocalServer } from '../../start/mysql/local-server.ts';
import { proportionalMegabytes, residentMegabytes } from '../process-usage.ts';
import { quantile } from '../quantile.ts';
import type { Row, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const FOLDER = new URL('../../examples/accounts/', import.meta.url);
const IN_TIME_MS = 250;
/** Of transactions and statements: 50 a second. */
const CALM = { perSecond: { debits: 33, credits: 16, extratos: 1 }, risingSeconds: 0 };

/** E2: the example accounts under the load that it is judged by. */
export const accounts: Scenario = {
  names: ['E2'],
  what: 'the example accounts, 61,380 requests, rising to 340/s',
  seconds: 275,
  async run(stage) {
    const server = await stage.startOwnServer(SERVER_ARGS);
    const url = server.url();
    await loadScript(new URL('schema.sql', FOLDER), url);
    const { front, pids } = await startAccounts(stage, server);
    const { pick, say, signal } = stage;
    say('a warm-up, and 50/s');
    await sendRisingLoad({ front, ...CALM, steadySeconds: pick(10, 3), signal });
    const calm = await sendRisingLoad({ front, ...CALM, steadySeconds: pick(20, 5), signal });
    say('the rising load');
    const { risingSeconds, steadySeconds, perSecond } = JUDGED;
    const seconds = { risingSeconds: pick(risingSeconds, 10), steadySeconds: pick(steadySeconds, 10) };
    const judged = await sendRisingLoad({ front, perSecond, ...seconds, signal });
    const memory = { resident: residentMegabytes(pids), proportional: proportionalMegabytes(pids) };
    const db = connectDatabase({ url });
    const stream = await readStream(db);
    await db.destroy();
    const wrong = [...faultsOf(stream), ...contradictionsOf(stream, calm), ...contradictionsOf(stream, judged)];
    if (wrong.length > 0) say(wrong[0]!);

    const all = [...judged.transactions, ...judged.extratos];
    const inTime = all.filter(({ status, ms }) => (status === 200 || status === 422) && ms <= IN_TIME_MS);
    const row = (what: string, unit: string, value: number, bar?: Row['bar']): Row => ({
      scenario: 'E2',
      what: `accounts, ${what}`,
      unit,
      ours: [value],
      ...(bar ? { bar } : {}),
    });
    return {
      rows: [
        row(`answered within ${IN_TIME_MS} ms`, '%', (inTime.length / all.length) * 100, { atLeast: 98 }),
        row('p50 of a transaction', 'ms', latency(judged.transactions, 0.5)),
        row('p99 of a transaction', 'ms', latency(judged.transactions, 0.99)),
        row('p50 of a transaction at 50/s', 'ms', latency(calm.transactions, 0.5), { atMost: 10 }),
        row('p99 of a transaction at 50/s', 'ms', latency(calm.transactions, 0.99)),
        row('resident memory of all, the server too', 'MB', memory.resident, { atMost: 550 }),
        row('the same, shared pages counted once', 'MB', memory.proportional),
        row('answers that the stream contradicts', '', wrong.length, { atMost: 0 }),
      ],
    };
  },
};

/** As example.ts starts them. */
async function startAccounts(stage: Stage, server: LocalServer): Promise<{ front: string; pids: number[] }> {
  const env = { ...LITTLE_MEMORY, DATABASE_URL: server.url() };
  const start = () => stage.startServer('examples/accounts/main.ts', '/clientes/1/extrato', env);
  // The first start compiles what the others only load, and keeps 13 MB more.
  await (await start()).stop();
  const processes = await Promise.all([start(), start()]);
  const front = await stage.startNginx(processes, {
    conf: new URL('nginx.conf', FOLDER).pathname,
    readyPath: '/clientes/1/extrato',
  });
  return { front: front.url, pids: [server.pid, front.pid, ...processes.map(({ pid }) => pid)] };
}

function latency(answers: readonly { ms: number }[], share: number): number {
  return quantile(
    answers.map(({ ms }) => ms).toSorted((a, b) => a - b),
    share,
  );
}
