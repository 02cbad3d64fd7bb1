import type { RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { sql } from 'kysely';
import { MEGABYTE } from '../bad-answers.ts';
import { create } from '../clients.ts';
import { areFilled, idsWhere } from '../questions.ts';
import type { FaultRow, FaultRun } from '../run-row.ts';
import type { NewTask } from '../runs.ts';

const EVENTS = 10;
/** As handlers.ts says of the kind `hook`. */
const ATTEMPTS = 5;

interface Misbehaviour {
  answer: RequestListener | 'down';
  /** How many failures each event then has, and whether it is dead. */
  failures: number;
  isDead: boolean;
}

const always = (answer: Misbehaviour['answer']): Misbehaviour => ({ answer, failures: ATTEMPTS, isDead: true });
const refused = (answer: RequestListener): Misbehaviour => ({ answer, failures: 1, isDead: true });
const say =
  (status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

const MISBEHAVIOUR: Record<string, () => Misbehaviour> = {
  'slower than its limit': () => always(() => {}),
  down: () => always('down'),
  'half an answer': () => always((_, response) => sendHalf(response)),
  'no JSON': () => always(say(200, {}, 'Olá')),
  'a redirect': () => refused(say(302, { Location: 'http://127.0.0.1:1/' })),
  '404': () => refused(say(404)),
  '429 with Retry-After': () => ({ answer: firstTooBusy(), failures: 1, isDead: false }),
};

/** Of these, nothing may be kept in memory either. */
const HEAVY: typeof MISBEHAVIOUR = {
  '10 MB': () => always(say(200, {}, Buffer.alloc(10 * MEGABYTE, '1'))),
  'a gzip bomb': () => always(say(200, { 'Content-Encoding': 'gzip' }, gzipSync(Buffer.alloc(50 * MEGABYTE, '1')))),
};

const RETRY_AFTER_MS = 2_000;

export const webhookRows: FaultRow[] = [
  {
    id: 'F63',
    what: `the receiver of a webhook: ${Object.keys({ ...MISBEHAVIOUR, ...HEAVY }).join(', ')}`,
    bar: `each is filled or dead after as many attempts as its contract says; at most ${EVENTS} sockets of each consumer; memory grows < 20 MB`,
    system: { handlers: true },
    clients: { lanes: 2, pauseMs: 40, tasks: 0.3 }, // a backlog would be measured as well
    async run(run) {
      const { system, check } = run;
      // As in F38: a young process grows whatever it is answered, so what is measured is what the heavy ones add.
      for (const [name, misbehaviour] of Object.entries(MISBEHAVIOUR)) await meet(run, name, misbehaviour());
      for (const [name, misbehaviour] of Object.entries(HEAVY)) {
        const rounds = async (times: number) => {
          for (let round = 1; round <= times; round++) await meet(run, name, misbehaviour());
        };
        await rounds(8); // until heap and buffers are as large as they get
        const before = system.consumers.map(({ memory }) => memory());
        await rounds(5);
        for (const [n, consumer] of system.consumers.entries()) {
          const grown = (consumer.memory() - before[n]!) / MEGABYTE;
          check(grown < 20, `${consumer.name} grew by ${Math.round(grown)} MB with ${name}`);
        }
      }
    },
  },
];

/** Events meet a receiver that behaves like this, until all of them are filled or dead. */
async function meet({ system, check, until }: FaultRun, name: string, { answer, failures, isDead }: Misbehaviour) {
  const { receiver, db } = system;
  const calls = receiver.calls();
  if (answer === 'down') await receiver.refuse(true);
  else receiver.answerWith(answer);
  const startedAt = performance.now();
  const tasks = Array.from({ length: EVENTS }, (): NewTask => ({ kind: 'hook' }));
  const { id } = await create({ front: system.fronts[0]!, ledger: system.ledger }, { kind: 'create-async', tasks });
  const ids = tasks.map((_, n) => id! + n);
  let sockets = 0;
  const areSettled = async () => {
    sockets = Math.max(sockets, await receiver.connections().catch(() => 0));
    return areFilled(db, ids);
  };
  await until(`the end of events with ${name}`, areSettled, 20_000);
  const ended = sql`id IN (${sql.join(ids)}) AND failures = ${failures} AND (due_at IS NULL) = ${isDead}`;
  const asExpected = await idsWhere(db, ended);
  check(asExpected.length === EVENTS, `${name}: ${asExpected.length} of ${EVENTS} events ended as they should`);
  check(sockets <= EVENTS * system.consumers.length, `${name}: ${sockets} sockets were open`);
  const expected = EVENTS * (isDead ? failures : failures + 1);
  if (answer !== 'down') check(receiver.calls() - calls === expected, `${name}: ${receiver.calls() - calls} calls`);
  if (name.includes('Retry-After')) check(performance.now() - startedAt >= RETRY_AFTER_MS, 'Retry-After was ignored');
  receiver.answerWith(undefined);
  await receiver.refuse(false);
}

function sendHalf(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Length': 1_000 });
  response.write('{"half":', () => response.socket?.resetAndDestroy());
}

/** Too busy for the first call of each event. */
function firstTooBusy(): RequestListener {
  const seen = new Set<unknown>();
  return (request, response) => {
    const event = request.headers['webhook-id'];
    if (seen.has(event)) return say(200, {}, '{}')(request, response);
    seen.add(event);
    say(429, { 'Retry-After': String(RETRY_AFTER_MS / 1_000) })(request, response);
  };
}
