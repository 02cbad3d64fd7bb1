import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { create } from '../clients.ts';
import { isCreate, type Operation } from '../ledger.ts';
import { idsWhere } from '../questions.ts';
import type { FaultRow } from '../run-row.ts';
import { LOOK } from '../statements.ts';

const SLOWLORIS = 1_000;
// All at once they would keep this process busy, in which the proxies run, until CREATE_WAIT_MS is over.
const COME_AT_ONCE = 500;

export const loadRows: FaultRow[] = [
  {
    id: 'F32',
    what: 'the keep-alive race between nginx and a producer: 1,000 requests when idle connections end',
    bar: '0 × 502',
    system: { nginx: true },
    clients: false,
    async run({ system, random, isShort, check, pass }) {
      const send = () => create({ front: system.fronts[0]!, ledger: system.ledger }, { kind: 'create-async' });
      // nginx lets go of an idle connection after 50 s.
      for (let round = 1; round <= (isShort ? 1 : 2); round++) {
        await Promise.all(Array.from({ length: 500 }, send));
        if (!isShort) await pass(48_500);
        await Promise.all(Array.from({ length: 500 }, () => sleep(random.between(0, 3_000)).then(send)));
      }
      const failed = system.ledger.operations.filter(({ outcome }) => outcome !== 'ok');
      check(failed.length === 0, `${failed.length} requests failed, the first with ${failed[0]?.status}`);
    },
  },
  {
    id: 'F50',
    what: '20 times the capacity for 20 s',
    bar: 'shed with 503 or 429 in less than 1 s; goodput at least 70 % of the peak',
    clients: false,
    // A capacity that is small enough to be exceeded twentyfold on this machine: a slow network and small batches.
    system: { env: { CREATE_BATCH: '2', CREATE_WAIT_MS: '500' } },
    suspends: ['C10'], // the consumers' network is slow as well
    async run({ system, isShort, check, measure, startClients, pass }) {
      for (const { database } of system.producers) database.delay(200);
      const acknowledgedIn = async (ms: number) => {
        const from = performance.now();
        await pass(ms);
        return (
          system.ledger.operations.filter((one) => isCreate(one) && one.outcome === 'ok' && one.answeredAt! > from)
            .length /
          (ms / 1_000)
        );
      };
      const few = startClients({ lanes: 20, sync: 0, most: 1, pauseMs: 1 });
      await pass(1_000);
      const peak = await acknowledgedIn(3_000);
      await few.stop();
      const from = system.ledger.operations.length;
      const flood = sendAt(system.fronts, system.ledger, peak * 20, isShort ? 5_000 : 20_000);
      await pass(1_000);
      const good = await acknowledgedIn(isShort ? 3_000 : 18_000);
      const offered = (await flood).length;
      check(good >= peak * 0.7, `${Math.round(good)} creates a second of ${Math.round(peak)} at the peak`);
      const answered = system.ledger.operations.slice(from);
      const shed = answered.filter(({ status }) => status === 503 || status === 429);
      check(shed.length > offered / 2, `only ${shed.length} of ${offered} were shed`);
      measure('slowest refusal', Math.max(...shed.map((one) => one.answeredAt! - one.sentAt)), 1_000);
    },
  },
  {
    id: 'F51',
    what: `${SLOWLORIS} clients that send a byte a second`,
    bar: 'honest clients ≥ 99 %; their sockets are closed within 15 s',
    system: { nginx: true },
    async run({ system, check, measure, pass }) {
      const { port } = new URL(system.fronts[0]!);
      const from = performance.now();
      const before = system.ledger.operations.length;
      const sockets = Array.from({ length: SLOWLORIS }, () => dribble(Number(port)));
      const closed = await Promise.race([Promise.all(sockets.map((socket) => closing(socket))), pass(20_000)]);
      measure('the last socket', performance.now() - from, 15_000);
      check(closed !== undefined, 'sockets of slow clients are still open');
      for (const socket of sockets) socket.destroy();
      const honest = system.ledger.operations.slice(before);
      const good = honest.filter(({ outcome }) => outcome === 'ok' || outcome === 'sent');
      check(
        good.length >= honest.length * 0.99,
        `${good.length} of ${honest.length} honest requests were answered well`,
      );
    },
  },
  {
    id: 'F52',
    what: '1,000 and 10,000 held create-sync with consumers stopped',
    bar: 'at most 20 queries a second of each producer for waiting',
    clients: false,
    system: { consumers: 1, env: { SYNC_POLL_MS: '100', WAITING_LIMIT: '20000' } },
    suspends: ['C10'], // the consumer is stopped, and then has ten thousand to do
    async run({ system, isShort, check, until, pass }) {
      const [consumer] = system.consumers;
      const createSync = (front: string) =>
        create({ front, ledger: system.ledger, deadlineMs: 120_000 }, { kind: 'create-sync' });
      for (const held of isShort ? [1_000] : [1_000, 10_000]) {
        consumer!.freeze();
        const looks = system.producers.map(({ database }) =>
          database.intercept({ pattern: LOOK, side: 'request', act: () => 'pass' }),
        );
        const waiting: Promise<Operation>[] = [];
        while (waiting.length < held) {
          waiting.push(...Array.from({ length: COME_AT_ONCE }, (_, n) => createSync(system.fronts[n % 2]!)));
          const areHeld = async () => (await idsWhere(system.db, sql`open = 1`)).length === waiting.length;
          await until(`${waiting.length} held`, areHeld, 60_000);
        }
        const before = looks.map(({ matched }) => matched());
        const seconds = 5;
        await pass(seconds * 1_000);
        for (const [n, { matched }] of looks.entries()) {
          const rate = (matched() - before[n]!) / seconds;
          check(rate > 0 && rate <= 20, `${rate} queries a second of producer ${n + 1} for ${held} that wait`);
        }
        for (const { release } of looks) release();
        consumer!.thaw();
        const answers = await Promise.all(waiting);
        const filled = answers.filter(({ status }) => status === 201).length;
        check(filled === held, `${filled} of ${held} were answered with their word`);
      }
    },
  },
  {
    id: 'F57',
    what: 'one Idempotency-Key 50 times at once over both producers, one of them killed',
    bar: 'one row, one id',
    clients: { keys: 1 }, // all creates have one, so that the rows can be counted against them
    cutsClients: true,
    async run({ system, random, isShort, check }) {
      for (let round = 1; round <= (isShort ? 3 : 20); round++) {
        const key = `fifty-${round}`;
        const repeat = (n: number) =>
          create({ front: system.fronts[n % 2]!, ledger: system.ledger }, { kind: 'create-async', key });
        const fifty = Array.from({ length: 50 }, (_, n) => repeat(n));
        const victim = random.pick(system.producers);
        await sleep(random.between(0, 15));
        await victim.kill();
        await Promise.all(fifty);
        await victim.start();
        const [one, other] = await Promise.all([repeat(0), repeat(1)]);
        check(
          one.id !== undefined && one.id === other.id,
          `${key} is ${one.id} at one producer and ${other.id} at the other`,
        );
      }
    },
  },
];

/** Sends at a rate, whatever the answers: each request begins when its time has come. */
async function sendAt(
  fronts: readonly string[],
  ledger: Parameters<typeof create>[0]['ledger'],
  perSecond: number,
  forMs: number,
): Promise<Operation[]> {
  const sent: Promise<Operation>[] = [];
  const from = performance.now();
  for (let now = 0; now < forMs; now = performance.now() - from) {
    while (sent.length < (now / 1_000) * perSecond) {
      sent.push(create({ front: fronts[sent.length % fronts.length]!, ledger }, { kind: 'create-async' }));
    }
    await sleep(5);
  }
  return Promise.all(sent);
}

function dribble(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write('POST /create-async HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const drip = setInterval(() => socket.write('x'), 1_000);
  socket.once('close', () => clearInterval(drip));
  return socket.resume();
}

function closing(socket: Socket): Promise<true> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve(true));
  });
}
