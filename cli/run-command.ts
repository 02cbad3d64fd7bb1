import type { Database } from '../database/connect.ts';
import { type LogLine, type LogSearch, searchLog } from '../database/events/log.ts';
import {
  type EventDetails,
  listDead,
  type ReviveOptions,
  reviveAllDead,
  reviveEvents,
  type ShownEvent,
  showEvent,
} from '../database/events/operate.ts';
import { showOutbox } from '../database/events/outbox.ts';
import type { Command } from './config.ts';

const PAYLOAD_SHOWN = 80;

export interface CommandDeps {
  db: Database;
  json: boolean;
  /** Takes one line of the answer. */
  write: (line: string) => void;
  /** Takes one line about what could not be done. */
  complain: (line: string) => void;
}

/** Resolves to whether all that was asked for could be done. Rejects as the database does. */
export async function runCommand(deps: CommandDeps, command: Exclude<Command, { name: 'help' }>): Promise<boolean> {
  switch (command.name) {
    case 'dead':
      return dead(deps, command.limit, command.after);
    case 'show':
      return show(deps, command.id);
    case 'outbox':
      return outbox(deps, command.limit);
    case 'log':
      return log(deps, command);
    case 'revive':
      return revive(deps, command.ids, command);
    case 'revive all':
      return reviveAll(deps, command);
  }
}

async function dead({ db, json, write }: CommandDeps, limit: number, after: number): Promise<true> {
  const events = await listDead(db, { limit, after });
  for (const event of events) write(json ? JSON.stringify(event) : deadLine(event));
  if (json) return true;
  if (events.length === 0) write('no dead events');
  if (events.length === limit) write(`there may be more: --after ${events.at(-1)!.id}`);
  return true;
}

async function show({ db, json, write, complain }: CommandDeps, id: number): Promise<boolean> {
  const event = await showEvent(db, id);
  if (!event) complain(`there is no event ${id}`);
  else if (json) write(JSON.stringify(event));
  else for (const line of detailLines(event)) write(line);
  return event !== undefined;
}

async function outbox({ db, json, write }: CommandDeps, limit: number): Promise<true> {
  const { waiting, aside, problems } = await showOutbox(db, { limit });
  if (json) write(JSON.stringify({ waiting, aside, problems }));
  else write(`${waiting} waiting, ${aside} put aside`);
  if (json) return true;
  for (const { id, problem, event } of problems) write(`#${id}  ${printable(problem)}  ${printable(event)}`);
  return true;
}

async function log({ db, json, write }: CommandDeps, search: LogSearch): Promise<true> {
  const lines = await searchLog(db, search);
  for (const line of lines) write(json ? JSON.stringify(line) : logLine(line));
  if (json) return true;
  if (lines.length === 0) write('no attempts in the log');
  if (lines.length === search.limit) write(`there may be earlier ones: --before ${lines[0]!.line}`);
  return true;
}

async function revive(deps: CommandDeps, ids: readonly number[], options: ReviveOptions): Promise<boolean> {
  const { revived, outOfOrder } = await reviveEvents(deps.db, ids, options);
  sayRevived(deps, { revived: revived.size });
  for (const id of new Set(ids)) {
    if (revived.has(id)) continue;
    if (outOfOrder.has(id)) {
      deps.complain(
        `event ${id} is left out: a later event of its key is filled or deleted; --out-of-order revives it`,
      );
      continue;
    }
    const event = await showEvent(deps.db, id);
    if (!event) deps.complain(`there is no event ${id}`);
    else if (event.status === 'dead') deps.complain(`event ${id} is locked by another connection; try again`);
    else deps.complain(`event ${id} is not dead but ${event.status}`);
  }
  return ids.every((id) => revived.has(id));
}

async function reviveAll(deps: CommandDeps, options: ReviveOptions): Promise<true> {
  const answer = await reviveAllDead(deps.db, options);
  sayRevived(deps, answer);
  if (answer.outOfOrder > 0 && !deps.json) {
    deps.write(
      `${countOf(answer.outOfOrder)} left out: a later event of the same key is filled or deleted; --out-of-order revives them`,
    );
  }
  return true;
}

function sayRevived({ json, write }: CommandDeps, answer: { revived: number; outOfOrder?: number }): void {
  write(json ? JSON.stringify(answer) : `${countOf(answer.revived)} revived`);
}

function countOf(events: number): string {
  return `${events} ${events === 1 ? 'event' : 'events'}`;
}

function deadLine({ id, attempts, createdAt, lastError }: EventDetails): string {
  return `#${id}  ${attempts} attempts  created ${createdAt.toISOString()}  ${printable(lastError ?? 'no error known')}`;
}

function logLine({ id, attempt, startedAt, endedAt, consumer, outcome, text }: LogLine): string {
  const took = startedAt === null ? '' : ` after ${endedAt.getTime() - startedAt.getTime()} ms`;
  const said = text === null ? '' : `  ${printable(text)}`;
  return `#${id}  attempt ${attempt}  ${outcome}${took}  ${endedAt.toISOString()}  ${consumer}${said}`;
}

function detailLines(event: ShownEvent): string[] {
  const moment = (date: Date | null, otherwise: string) => date?.toISOString() ?? otherwise;
  const details = {
    kind: event.kind,
    key: event.key ?? 'none',
    payload: payloadLine(event.payload),
    status: event.status,
    value: event.valor ?? 'none',
    attempts: String(event.attempts),
    failures: String(event.failures),
    waits: String(event.waits),
    'claimed by': event.claimedBy ?? 'nobody',
    'due at': moment(event.dueAt, 'never'),
    'created at': moment(event.createdAt, 'unknown'),
    'filled at': moment(event.filledAt, 'never'),
    'last error': event.lastError ?? 'none',
    ...(event.problem !== undefined && { problem: event.problem }),
  };
  const lines = Object.entries(details).map(([name, value]) => `  ${name.padEnd(12)}${printable(value)}`);
  return [`event #${event.id}`, ...lines];
}

function payloadLine(payload: string | null): string {
  if (payload === null) return 'none';
  const line = payload.replaceAll(/\s+/g, ' ');
  const shown = line.length > PAYLOAD_SHOWN ? `${line.slice(0, PAYLOAD_SHOWN).toWellFormed()}…` : line;
  return `${shown} (${Buffer.byteLength(payload)} bytes)`;
}

/** What a word service said ends up here, and must not move the cursor of a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
}
