import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { startExample } from '../../tests/example-system.ts';
import {
  configure,
  countInconsistent,
  countPaid,
  countRecorded,
  findMispaid,
  postPayment,
  runJudgedLoad,
  summaryOf,
  totalsOf,
} from './judged-load.ts';

/** The contract on real processes, line by line, and then the load that it is judged by, while its parts are killed. */

const LONGEST_DELAY_MS = 500;
const SECONDS = 15;
const NOTHING = { totalRequests: 0, totalAmount: 0 };

async function startPayments() {
  const settings = { LONGEST_DELAY_MS: String(LONGEST_DELAY_MS), LEASE_MS: '3000' };
  const system = await startExample('payments', settings);
  const text = stripVTControlCharacters(system.lines.join('\n'));
  const urlOf = (name: string) => new RegExp(`^${name} .*listening on (\\S+)`, 'm').exec(text)![1]!;
  return { ...system, processors: { default: urlOf('default'), fallback: urlOf('fallback') } };
}

const pay = (front: string, amount: number, correlationId: string = randomUUID()) =>
  postPayment(front, { correlationId, amount });

// One test, since a start takes seconds.
test('the contract holds, and all that is accepted under the judged load is paid once, whoever is killed', async () => {
  const system = await startPayments();
  await payOnceAndSum(system);
  await preferTheCheaper(system);
  await purge(system);
  await bearTheLoad(system);
}, 240_000);

type System = Awaited<ReturnType<typeof startPayments>>;

async function payOnceAndSum({ front, processors }: System): Promise<void> {
  const id = randomUUID();
  for (let n = 0; n < 3; n++) expect(await pay(front, 19.9, id)).toBe(202);
  for (let n = 0; n < 30; n++) expect(await pay(front, 0.1)).toBe(202);
  const all = { totalRequests: 31, totalAmount: 22.9 };
  await expect.poll(() => summaryOf(front)).toEqual({ default: all, fallback: NOTHING });
  expect(await totalsOf(processors.default)).toEqual(all);

  const malformed = [{}, { correlationId: id }, { correlationId: 'x', amount: 1 }, { correlationId: id, amount: '1' }];
  const noAmounts = [0, -1, 0.001, 1e300].map((amount) => ({ correlationId: randomUUID(), amount }));
  for (const payment of [...malformed, ...noAmounts]) expect(await postPayment(front, payment)).toBe(422);
  const noJson = await fetch(`${front}/payments`, { method: 'POST', body: '{' });
  expect(noJson.status).toBe(422);

  const { requestedAt } = (await (await fetch(`${processors.default}/payments/${id}`)).json()) as {
    requestedAt: string;
  };
  const [at, next] = [0, 1].map((ms) => new Date(Date.parse(requestedAt) + ms).toISOString());
  const countOf = async (range: string) => (await summaryOf(front, range)).default.totalRequests;
  expect(await countOf(`?from=${at}&to=${at}`)).toBeGreaterThan(0);
  expect(await countOf(`?to=${at}`)).toBeGreaterThan(0);
  expect((await countOf(`?to=${at}`)) + (await countOf(`?from=${next}`))).toBe(31);
  expect((await fetch(`${front}/payments-summary?from=yesterday`)).status).toBe(422);
}

async function preferTheCheaper({ front, processors }: System): Promise<void> {
  const { totalRequests: before } = await totalsOf(processors.default);
  let posted = before;
  const post = async () => {
    expect(await pay(front, 1)).toBe(202);
    posted++;
  };
  await configure(processors.default, 'failure', { failure: true });
  await post();
  await expect.poll(() => summaryOf(front)).toMatchObject({ fallback: { totalRequests: 1, totalAmount: 1 } });
  await configure(processors.default, 'failure', { failure: false });
  const isPreferred = async () => {
    await post();
    return (await totalsOf(processors.default)).totalRequests > before;
  };
  await expect.poll(isPreferred, { interval: 200 }).toBe(true);
  // What is still under way at a purge is recorded after it.
  await expect.poll(() => countRecorded(front)).toBe(posted);
  expect(await summaryOf(front)).toEqual({
    default: await totalsOf(processors.default),
    fallback: await totalsOf(processors.fallback),
  });
}

async function purge({ front, processors }: System): Promise<void> {
  for (const url of Object.values(processors)) await fetch(`${url}/admin/purge-payments`, { method: 'POST' });
  for (let n = 0; n < 2; n++) {
    expect((await fetch(`${front}/purge-payments`, { method: 'POST' })).status).toBe(204);
    expect(await summaryOf(front)).toEqual({ default: NOTHING, fallback: NOTHING });
  }
}

async function bearTheLoad({ front, processors, processes, kill }: System): Promise<void> {
  const killOne = (command: RegExp) =>
    process.kill(processes().find((one) => command.test(one.command))!.pid, 'SIGKILL');
  const delaysMs = [0, 100, LONGEST_DELAY_MS, 20, 0];
  const loading = runJudgedLoad({ front, processors, users: 100, seconds: SECONDS, delaysMs });
  await sleep(0.25 * SECONDS * 1_000);
  killOne(/payments\/main\.ts/);
  await sleep(0.2 * SECONDS * 1_000); // while a payment takes longest
  killOne(/consumer\/main\.ts/);
  await sleep(0.15 * SECONDS * 1_000);
  expect(kill(/mysqld|mariadbd/)).toBeGreaterThan(0);

  const accepted = await loading;
  const ids = [...accepted.payments.keys()];
  const cents = accepted.payments.values().reduce((sum, each) => sum + each, 0);
  expect(ids.length).toBeGreaterThan(200);
  expect(accepted.repeats).toBeGreaterThan(0);
  await expect.poll(() => countRecorded(front), { timeout: 90_000 }).toBe(ids.length);
  const { default: cheaper, fallback } = await summaryOf(front);
  expect(Math.round((cheaper.totalAmount + fallback.totalAmount) * 100)).toBe(cents);
  expect(await countPaid({ processors })).toBe(ids.length);
  expect(await findMispaid({ processors }, ids)).toEqual({ missing: 0, twice: 0 });
  const span = { startedAt: accepted.startedAt, endedAt: Math.min(accepted.endedAt, Date.now() - 2_000) };
  expect(await countInconsistent({ front, processors }, span, 200)).toBe(0);
}
