import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createProducer } from '../../index.ts';
import { type ExampleSystem, startExample } from '../../tests/example-system.ts';
import { useTestDatabase } from '../../tests/test-database.ts';
import { createApi } from './api.ts';
import { readExtrato, send, sendTransaction, type TransactionAnswer } from './load/client.ts';
import { contradictionsOf, faultsOf, readStream } from './load/contradictions.ts';
import { sendRisingLoad } from './load/rising-load.ts';

// On a busy machine a backlog is worked off all the same.
const PATIENT = { WAIT_MS: '60000' };
const LONG = { timeout: 180_000 };
const API = /accounts\/main\.ts/;
const run = promisify(execFile);
const { db } = await useTestDatabase();

const rebuild = ({ databaseUrl }: ExampleSystem) =>
  run('node', ['examples/accounts/rebuild/main.ts'], { env: { ...process.env, DATABASE_URL: databaseUrl } });

const saldosOf = (answers: readonly TransactionAnswer[]) =>
  answers.map(({ body }) => (body as { saldo: number }).saldo).toSorted((a, b) => a - b);

test('an account does one transaction after the other, within its limit, and its statement says so', LONG, async () => {
  const system = await startExample('accounts', PATIENT);
  await addsUpWhatComesAtOnce(system);
  await keepsTheLimit(system);
  await showsTheNewestFirst(system);
  await refusesWhatIsMalformed(system);
  await rebuildsFromSnapshots(system);
});

async function addsUpWhatComesAtOnce({ front }: ExampleSystem): Promise<void> {
  const atOnce = (tipo: string) =>
    Promise.all(Array.from({ length: 25 }, () => sendTransaction(front, { client: 1, valor: 1, tipo })));
  expect(saldosOf(await atOnce('d'))).toEqual(Array.from({ length: 25 }, (_, nth) => nth - 25));
  expect(await readExtrato(front, 1)).toMatchObject({ status: 200, body: { saldo: { total: -25, limite: 100_000 } } });
  expect(saldosOf(await atOnce('c'))).toEqual(Array.from({ length: 25 }, (_, nth) => nth - 24));
  expect(await readExtrato(front, 1)).toMatchObject({ body: { saldo: { total: 0 } } });
}

async function keepsTheLimit({ front, db }: ExampleSystem): Promise<void> {
  const debit = { client: 2, valor: 10_000, tipo: 'd' };
  const answers = await Promise.all(Array.from({ length: 20 }, () => sendTransaction(front, debit)));
  const { 200: applied, 422: refused } = Object.groupBy(answers, ({ status }) => status);
  expect([applied?.length, refused?.length]).toEqual([8, 12]);
  expect(await readExtrato(front, 2)).toMatchObject({ body: { saldo: { total: -80_000 } } });
  expect(contradictionsOf(await readStream(db), { transactions: answers })).toEqual([]);
  expect(await sendTransaction(front, { client: 2, valor: 1, tipo: 'd' })).toMatchObject({ status: 422 });
}

async function showsTheNewestFirst({ front }: ExampleSystem): Promise<void> {
  expect(await readExtrato(front, 3)).toMatchObject({ body: { saldo: { total: 0 }, ultimas_transacoes: [] } });
  for (let nth = 1; nth <= 12; nth++) {
    const { valor, tipo, descricao, body } = await sendTransaction(front, { client: 3, valor: nth, tipo: 'c' });
    const extrato = (await readExtrato(front, 3)).body as {
      saldo: { total: number; data_extrato: string; limite: number };
      ultimas_transacoes: { realizada_em: string }[];
    };
    expect(extrato.saldo).toMatchObject({ total: (nth * (nth + 1)) / 2, limite: 1_000_000 });
    expect(body).toEqual({ saldo: extrato.saldo.total, limite: 1_000_000 });
    expect(extrato.ultimas_transacoes).toHaveLength(Math.min(nth, 10));
    expect(extrato.ultimas_transacoes[0]).toMatchObject({ valor, tipo, descricao });
    for (const moment of [extrato.saldo.data_extrato, extrato.ultimas_transacoes[0]!.realizada_em]) {
      expect(moment).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.now() - Date.parse(moment))).toBeLessThan(60_000);
    }
  }
}

const WELL_FORMED = { valor: 1, tipo: 'c', descricao: 'dez letras' };
const MALFORMED: (string | object)[] = [
  '',
  'valor=1',
  '[]',
  '"c"',
  'null',
  'x'.repeat(20_000),
  ...['valor', 'tipo', 'descricao'].map((member) => ({ ...WELL_FORMED, [member]: undefined })),
  ...[1.2, 0, -1, '1', null, 1e300].map((valor) => ({ ...WELL_FORMED, valor })),
  ...['x', 'C', '', 1, null].map((tipo) => ({ ...WELL_FORMED, tipo })),
  ...['', null, 1, 'onze letras', 'ção ção ção', '\ud83d'].map((descricao) => ({ ...WELL_FORMED, descricao })),
];

async function refusesWhatIsMalformed({ front }: ExampleSystem): Promise<void> {
  const post = async (client: string, payload: string | object) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    return { payload, status: (await send(front, `/clientes/${client}/transacoes`, text)).status };
  };
  for (const payload of MALFORMED) expect(await post('4', payload)).toEqual({ payload, status: 422 });
  expect(await readExtrato(front, 4)).toMatchObject({ body: { saldo: { total: 0 }, ultimas_transacoes: [] } });
  for (const descricao of ['dez letras', '~', '🙂'.repeat(10)]) {
    expect(await post('4', { ...WELL_FORMED, descricao })).toMatchObject({ status: 200 });
    const { body } = await readExtrato(front, 4);
    expect((body as { ultimas_transacoes: object[] }).ultimas_transacoes[0]).toMatchObject({ descricao });
  }
  for (const client of ['0', '6', '01', '-1', '1.0', 'ana', '123456789012345678901']) {
    expect(await post(client, WELL_FORMED)).toMatchObject({ status: 404 });
    expect(await post(client, { ...WELL_FORMED, valor: 0 })).toMatchObject({ status: 404 });
    expect(await send(front, `/clientes/${client}/extrato`)).toMatchObject({ status: 404 });
  }
}

async function rebuildsFromSnapshots(system: ExampleSystem): Promise<void> {
  const credits = Array.from({ length: 205 }, () => sendTransaction(system.front, { client: 5, valor: 2, tipo: 'c' }));
  await Promise.all(credits);
  const { rows } = await sql`SELECT * FROM account_snapshots`.execute(system.db);
  expect(rows).toEqual([1, 2].map((nth) => ({ account_id: 5, seq: nth * 100, balance: nth * 200 })));
  const { stdout } = await rebuild(system);
  expect(stdout.match(/equal/g)).toHaveLength(5);
  expect(stdout).toContain('account 5: 410 after 200 + 5 transactions, equal');
  await sql`UPDATE account_events SET amount = amount + 1 WHERE account_id = 5 AND seq = 203`.execute(system.db);
  await expect(rebuild(system)).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/account 5.*DIFFERENT/),
  });
}

test('nothing that was answered is lost, under load and when processes and database are killed', LONG, async () => {
  const system = await startExample('accounts', PATIENT);
  await answersARisingLoad(system);
  await survivesItsParts(system);
  expect(faultsOf(await readStream(system.db))).toEqual([]);
  await rebuild(system);
});

async function answersARisingLoad({ front, db }: ExampleSystem): Promise<void> {
  const load = { perSecond: { debits: 33, credits: 16, extratos: 2 }, risingSeconds: 4, steadySeconds: 4 };
  const answers = await sendRisingLoad({ front, ...load });
  expect(answers.transactions.filter(({ status }) => status !== 200 && status !== 422)).toEqual([]);
  expect(answers.extratos.filter(({ status }) => status !== 200)).toEqual([]);
  expect(contradictionsOf(await readStream(db), answers)).toEqual([]);
}

/** Ten callers, each of whom sends one transaction after the other, whatever becomes of them. */
async function survivesItsParts({ front, db, kill, processes }: ExampleSystem): Promise<void> {
  const stop = new AbortController();
  const sent: TransactionAnswer[][] = [];
  const callers = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5].map(async (client, nth) => {
    const own: TransactionAnswer[] = (sent[nth] = []);
    const transaction = { client, valor: 7, tipo: nth < 5 ? 'd' : 'c' };
    while (!stop.signal.aborted) {
      const answer = await sendTransaction(front, transaction);
      own.push(answer);
      if (answer.status !== 200) await sleep(20); // for a while nobody may be there
    }
  });
  const applied = () => sent.flat().filter(({ status }) => status === 200).length;
  const goesOn = async () => {
    const before = applied();
    await expect.poll(applied, { timeout: 60_000 }).toBeGreaterThan(before + 20);
  };
  await goesOn();
  process.kill(processes().find(({ command }) => API.test(command))!.pid, 'SIGKILL');
  await goesOn();
  for (const command of [/mysqld|mariadbd/, API, /nginx/]) {
    expect(kill(command)).toBeGreaterThan(0);
    await goesOn();
  }
  stop.abort();
  await Promise.all(callers);

  const stream = await readStream(db);
  expect(contradictionsOf(stream, { transactions: sent.flat() })).toEqual([]);
  const seqs = new Map(stream.map(({ descricao, seq }) => [descricao, seq]));
  for (const own of sent) {
    const order = own.flatMap(({ status, descricao }) => (status === 200 ? [seqs.get(descricao)!] : []));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  }
}

const postTo = async (producer: Parameters<typeof createApi>[0]['producer']) => {
  const api = createApi({ db, producer, waitMs: 1 });
  const answer = await api.request('/clientes/1/transacoes', { method: 'POST', body: JSON.stringify(WELL_FORMED) });
  return [answer.status, await answer.json()];
};

test('a caller whose wait ends reads that the outcome is unknown', async () => {
  expect(await postTo(createProducer({ db }))).toEqual([503, { error: 'unavailable', outcome: 'unknown' }]);
});

test('a caller whose transaction was certainly not applied reads that', async () => {
  const notApplied = [503, { error: 'unavailable', outcome: 'not applied' }];
  expect(await postTo(createProducer({ db, createQueueLimit: 0 }))).toEqual(notApplied);
  const event = { id: 1, kind: 'transaction', deadReason: null, status: 'dead' } as const;
  expect(await postTo({ createAndWait: async () => event })).toEqual(notApplied);
});
