import { sql } from 'kysely';
import { BAD_ANSWERS, HEAVY_ANSWERS, MEGABYTE, say } from '../bad-answers.ts';
import { create } from '../clients.ts';
import { idsWhere } from '../questions.ts';
import type { FaultRow } from '../run-row.ts';
import type { WordFault } from '../unique-words.ts';

export const wordServiceRows: FaultRow[] = [
  {
    id: 'F33',
    what: 'the word service takes longer than a minute',
    bar: 'create-sync waits and is answered; other routes p99 < 200 ms',
    system: {
      env: { WORD_ATTEMPT_MS: '100000', LEASE_MS: '160000', CONSUMER_CONCURRENCY: '8' },
    },
    clients: { sync: 0 },
    drainLimitMs: 200_000,
    async run({ system, watch, isShort, check, measure, pass }) {
      watch.consumersWork = false; // they all wait for their words
      const slowMs = isShort ? 5_000 : 61_000;
      const held = system.consumers.map(({ name }) => system.words.hold(name));
      const startedAt = performance.now();
      const waiting = Array.from({ length: 50 }, (_, n) =>
        create({ front: system.fronts[n % 2]!, ledger: system.ledger, deadlineMs: 180_000 }, { kind: 'create-sync' }),
      );
      await pass(slowMs);
      const others = system.ledger.operations
        .filter(
          ({ kind, sentAt, answeredAt }) => kind !== 'create-sync' && sentAt > startedAt && answeredAt !== undefined,
        )
        .map(({ sentAt, answeredAt }) => answeredAt! - sentAt)
        .toSorted((a, b) => a - b);
      measure('p99 of other routes', others[Math.floor(others.length * 0.99)]!, 200);
      for (const { release } of held) release();
      const answers = await Promise.all(waiting);
      check(
        answers.every(({ status }) => status === 201),
        'a create-sync was not answered with its word',
      );
    },
  },
  {
    id: 'F36',
    what: 'the word service closes sockets, resets in mid-body, refuses',
    bar: 'tried again; at most 100 sockets',
    clients: { waitSeconds: 2 },
    async run({ system, watch, isShort, check, pass }) {
      watch.consumersWork = false;
      const faults: WordFault[] = [
        (response) => void response.destroy(),
        (response) => {
          response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1_000 });
          response.write('[{"word":', () => response.socket?.resetAndDestroy());
        },
        say('', 500),
      ];
      for (const fault of faults) {
        system.words.fail(fault);
        const before = system.words.calls.length;
        await pass(isShort ? 1_500 : 5_000);
        check(system.words.calls.length > before, 'it was not tried again');
        check((await system.words.connections()) <= 100, `${await system.words.connections()} sockets are open`);
      }
      await system.words.refuse(true);
      await pass(isShort ? 1_500 : 5_000);
      await system.words.refuse(false);
    },
  },
  {
    id: 'F37',
    what: 'the word service: no headers; headers and then silence; a byte a second',
    bar: "cut at the attempt's limit (1 s)",
    system: { env: { WORD_ATTEMPT_MS: '1000' } },
    clients: { waitSeconds: 2 },
    async run({ system, watch, check, measure, until }) {
      watch.consumersWork = false;
      const head = { 'Content-Type': 'application/json' };
      const faults: Record<string, (response: Parameters<WordFault>[0]) => void> = {
        'no headers': () => {},
        'headers and silence': (response) => response.writeHead(200, head).flushHeaders(),
        'a byte a second': (response) => {
          response.writeHead(200, head).write('[');
          const drip = setInterval(() => response.write(' '), 1_000);
          response.once('close', () => clearInterval(drip));
        },
      };
      for (const [name, fault] of Object.entries(faults)) {
        const lasted: number[] = [];
        system.words.fail((response) => {
          const from = performance.now();
          response.once('close', () => lasted.push(performance.now() - from));
          fault(response);
        });
        await until(`three calls with ${name}`, () => lasted.length >= 3, 20_000);
        check(
          lasted.every((ms) => ms > 500),
          `a call with ${name} was given up too early`,
        );
        measure(name, Math.max(...lasted), 1_500);
        system.words.fail(undefined);
      }
    },
  },
  {
    id: 'F38',
    what: `the word service answers ${Object.keys({ ...BAD_ANSWERS, ...HEAVY_ANSWERS }).join(', ')}`,
    bar: 'nothing of it in the table; memory grows < 20 MB; at most 50 calls a second of each consumer',
    clients: { waitSeconds: 2 },
    async run({ system, watch, isShort, check, pass, until }) {
      watch.consumersWork = false;
      const answerWith = async (name: string, fault: WordFault) => {
        const calls = system.words.calls.length;
        const from = performance.now();
        system.words.fail(fault);
        await until(`a call that is answered with ${name}`, () => system.words.calls.length > calls, 5_000);
        // Long enough to tell a hot loop from the quick small claims with which a consumer begins again after an outage.
        await pass(isShort ? 400 : 2_000);
        const seconds = (performance.now() - from) / 1_000;
        const rate = (system.words.calls.length - calls) / seconds / system.consumers.length;
        // So short a time is mostly those claims.
        check(rate <= (isShort ? 150 : 50), `${name}: ${Math.round(rate)} calls a second of each consumer`);
        system.words.fail(undefined);
      };
      // A process that is a second old grows by as much as the bar allows whatever it is answered. So the answers that
      // weigh nothing come first, and what is measured is what the heavy ones add.
      for (const [name, fault] of Object.entries(BAD_ANSWERS)) await answerWith(name, fault);
      const before = system.consumers.map(({ memory }) => memory());
      for (const [name, fault] of Object.entries(HEAVY_ANSWERS)) {
        for (let times = 0; times < (isShort ? 2 : 5); times += 1) {
          await answerWith(name, fault);
          for (const [n, consumer] of system.consumers.entries()) {
            const grown = (consumer.memory() - before[n]!) / MEGABYTE;
            check(grown < 20, `${consumer.name} grew by ${Math.round(grown)} MB with ${name}`);
          }
        }
      }
    },
  },
  {
    id: 'F39',
    what: 'the word service is down for 60 s; 50 % errors; 429 with Retry-After',
    bar: 'at most 2 calls a second for each consumer while down; attempts not burnt; drained within twice the outage',
    clients: { sync: 0 },
    system: { env: { MAX_ATTEMPTS: '5', CONSUMER_CONCURRENCY: '2' } },
    drainLimitMs: 120_000,
    async run({ system, random, watch, isShort, check, measure, pass, until }) {
      watch.consumersWork = false;
      const seconds = isShort ? 6 : 60;
      const callsPerSecond = async (fault: WordFault, forSeconds: number) => {
        system.words.fail(fault);
        await pass(1_000); // until it is noticed
        const before = system.words.calls.length;
        await pass(forSeconds * 1_000);
        system.words.fail(undefined);
        return (system.words.calls.length - before) / forSeconds / system.consumers.length;
      };
      const rate = await callsPerSecond((response) => void response.destroy(), seconds);
      check(rate <= 2, `${rate.toFixed(1)} calls a second of each consumer while the service is down`);
      const backlog = await idsWhere(system.db, sql`open = 1`);
      const drained = async () =>
        (await idsWhere(system.db, sql`open = 1 AND id <= ${backlog.at(-1) ?? 0}`)).length === 0;
      measure('drain', await until('the drain', drained, seconds * 2_000), seconds * 2_000);

      const luck = random.fork();
      const busy = say('', 429, { 'Retry-After': '2' });
      const asked = await callsPerSecond((response, words, request) => {
        if (luck.chance(0.5)) return say('', 500)(response, words, request);
        return busy(response, words, request);
      }, seconds / 2);
      check(asked <= 2, `${asked.toFixed(1)} calls a second of each consumer while it answers 500 and 429`);
      const dead = await idsWhere(system.db, sql`due_at IS NULL AND valor IS NULL`);
      check(dead.length === 0, `${dead.length} events died of it`);
      const burnt = await idsWhere(system.db, sql`failures > 0`);
      check(burnt.length === 0, `${burnt.length} events count a failure`);
    },
  },
];
