import type { Evidence } from './evidence.ts';
import { effectsAreFills, exactFailures, NAMES_CLAIM, orderOfKeys, pidOf } from './handler-invariants.ts';
import { acknowledgedIds, createsByIdentity, isCreate, type Operation, tally } from './ledger.ts';
import { EXIT_CODE } from './runs.ts';
import { few, type Violations } from './violations.ts';

/** Past its time by so much while consumers work, an event is stuck. */
const OVERDUE_LIMIT_MS = 2_000;
const HISTORY_LIMIT = 10_000;
/** Kinds whose handlers give up an event after a few failures. */
const MORTAL = new Set(['trouble', 'hook']);
/** A process may take so much longer than its grace to be gone: the kernel and we have to notice. */
const EXIT_SLACK_MS = 1_000;

/** What must be true of every run, whatever the fault. Each tells in words what it found against it. */
export const invariants = {
  /** Every acknowledged id is a row. */
  C1({ operations, rows }: Evidence): Violations {
    const ids = new Set(rows.map(({ id }) => id));
    return few(
      acknowledgedIds(operations).filter((id) => !ids.has(id)),
      (id) => `${id} was acknowledged and is lost`,
    );
  },

  /** After the drain every acknowledged row has a value, or is dead if its handler may let it die. */
  C2({ operations, rows }: Evidence): Violations {
    const mayBeDead = (row: Evidence['rows'][number]) => row.isDead === 1 && MORTAL.has(row.kind);
    const empty = new Set(rows.filter((row) => !row.valor && !mayBeDead(row)).map(({ id }) => id));
    return few(
      acknowledgedIds(operations).filter((id) => empty.has(id)),
      (id) => `${id} was never filled`,
    );
  },

  /** One change from empty to a value for each id, none from value to value. */
  C3({ rows, changes }: Evidence): Violations {
    const fills = countBy(changes.filter(({ what }) => what === 'filled').map(({ id }) => id));
    return [
      ...few(
        changes.filter(({ what }) => what === 'rewritten'),
        ({ id, valor }) => `${id} was rewritten to ${valor}`,
      ),
      ...few(
        rows.filter(({ id, valor }) => (fills.get(id) ?? 0) !== (valor ? 1 : 0)),
        ({ id }) => `${id} was filled ${fills.get(id) ?? 0} times`,
      ),
    ];
  },

  /** The value of a row was made for the claim that the row names, and for no other row or claim. */
  C4({ rows, issued }: Evidence): Violations {
    const filled = rows.filter(({ valor, kind }) => valor && kind === 'word');
    const uses = countBy(filled.map(({ valor }) => valor));
    const claimOf = new Map<unknown, string>();
    const strangers = few(
      rows.filter(({ valor, kind }) => valor && NAMES_CLAIM.has(kind)),
      ({ id, valor, attempts, claimedBy }) => {
        const expected = JSON.stringify({ id, attempt: attempts, pid: pidOf(claimedBy) });
        return valor === expected ? undefined : `${id} has ${valor}, but its claim made ${expected}`;
      },
    );
    const strangeWords = few(filled, ({ id, valor, claimedBy }) => {
      const call = issued.get(valor!);
      if (!call) return `${id} has ${valor}, which nobody issued`;
      if (uses.get(valor)! > 1) return `${id} has ${valor}, as another row has`;
      if (call.consumer !== consumerOf(claimedBy))
        return `${id} has ${valor} of ${call.consumer}, but belongs to ${claimedBy}`;
      if (!claimOf.has(call)) claimOf.set(call, claimedBy);
      return claimOf.get(call) === claimedBy
        ? undefined
        : `${id} of ${claimedBy} has a word made for ${claimOf.get(call)}`;
    });
    return [...strangers, ...strangeWords];
  },

  /** Acknowledged ids are distinct, but for those of one key. */
  C5({ operations }: Evidence): Violations {
    const times = countBy(acknowledgedIds(operations));
    return few(
      [...times].filter(([, count]) => count > 1),
      ([id, count]) => `${id} was acknowledged to ${count} creates`,
    );
  },

  /** The count is never below what was acknowledged nor above what was attempted; at the end it is exact. */
  C6({ operations, rows, counter }: Evidence): Violations {
    const { acknowledged, unknown, attempted } = tally(operations);
    const newest = rows.at(-1)?.id ?? 0;
    const creates = [...createsByIdentity(operations).values()];
    const attemptedBy = eventsUntil(
      creates,
      () => true,
      ({ sentAt }) => sentAt,
    );
    const acknowledgedBy = eventsUntil(
      creates,
      ({ outcome }) => outcome === 'ok',
      ({ answeredAt }) => answeredAt!,
    );
    const most = acknowledged + unknown;
    return [
      ...few(
        operations.filter(({ kind, outcome }) => kind === 'count' && outcome === 'ok'),
        ({ count, sentAt, answeredAt }) => {
          if (count! < acknowledgedBy(sentAt))
            return `GET / said ${count} after ${acknowledgedBy(sentAt)} were acknowledged`;
          return count! > attemptedBy(answeredAt!)
            ? `GET / said ${count} when ${attemptedBy(answeredAt!)} were attempted`
            : undefined;
        },
      ),
      ...(counter === rows.length && rows.length === newest
        ? []
        : [`count ${counter}, rows ${rows.length}, newest id ${newest}`]),
      ...(rows.length >= acknowledged && rows.length <= most
        ? []
        : [`${rows.length} rows of ${acknowledged} to ${most} creates (${attempted} attempted)`]),
    ];
  },

  /** All requests of one key were acknowledged with the same id, and where every create has one, rows = keys. */
  C7({ operations, rows }: Evidence): Violations {
    const creates = createsByIdentity(operations);
    const keyed = [...creates].filter(([, same]) => same[0]!.key !== undefined);
    const committed = keyed.filter(([, same]) => same.some(({ outcome }) => outcome === 'ok'));
    const expected = committed.reduce((sum, [, same]) => sum + same[0]!.events, 0);
    const isWhole = keyed.length > 0 && keyed.length === creates.size && committed.length === keyed.length;
    return [
      ...few(keyed, ([key, same]) => {
        const ids = new Set(same.filter(({ outcome }) => outcome === 'ok').map(({ id }) => id));
        return ids.size > 1 ? `${key} was acknowledged as ${[...ids].join(' and ')}` : undefined;
      }),
      ...(isWhole && rows.length !== expected ? [`${rows.length} rows for ${expected} events of distinct keys`] : []),
    ];
  },

  /** A 201 with a word means that the row has it. */
  C8({ operations, rows }: Evidence): Violations {
    const words = new Map(rows.map(({ id, valor }) => [id, valor]));
    return few(
      operations.filter(({ word, kind }) => word !== undefined && kind === 'create-sync'),
      ({ id, word }) =>
        words.get(id!) === word ? undefined : `${id} was answered with ${word} and has ${words.get(id!)}`,
    );
  },

  /** Every request got a complete answer of a documented form; rows that cut clients' connections leave those out. */
  C9({ operations }: Evidence): Violations {
    return few(operations, ({ kind, outcome, isHung, isCut, undocumented }) => {
      if (isHung) return `a ${kind} was not answered in time`;
      if (isCut) return `a ${kind} had its connection cut`;
      if (undocumented) return `a ${kind} was answered ${undocumented}`;
      return outcome === 'sent' ? `a ${kind} has no end` : undefined;
    });
  },

  /** While consumers work, no open event stands long past its time. */
  C10({ watched: { longestOverdueMs } }: Evidence): Violations {
    return longestOverdueMs > OVERDUE_LIMIT_MS
      ? [`an event stood ${Math.round(longestOverdueMs)} ms past its time`]
      : [];
  },

  /** An event is taken over only when its lease is over, and from then on its old holder's fill is refused. */
  C11({ changes, issued }: Evidence): Violations {
    const holders = new Map<number, string>();
    return few(changes, ({ id, what, claimedBy, valor, leaseLeftMs }) => {
      if (what === 'claimed') holders.set(id, claimedBy);
      if (what === 'claimed' || what === 'taken back') {
        return leaseLeftMs !== null && leaseLeftMs > 0
          ? `${id} was taken over ${leaseLeftMs} ms before its lease ended`
          : undefined;
      }
      const maker = issued.get(valor ?? '')?.consumer;
      if (what !== 'filled' || maker === undefined || maker === consumerOf(holders.get(id) ?? '')) return undefined;
      return `${id} was filled by ${maker} while ${holders.get(id)} held it`;
    });
  },

  /** No process ended by itself, unless its handler did that; one that was told to ended with 0 within its grace; no connection stays behind. */
  C12({ exits, connectionsLeft }: Evidence): Violations {
    return [
      ...few(exits, ({ part, why, code, signal, ms, graceMs }) => {
        if (why === 'by itself' && code === EXIT_CODE) return undefined;
        if (why === 'by itself') return `${part} ended by itself, with ${signal ?? code}`;
        if (why === 'killed') return undefined;
        return code === 0 && ms <= graceMs + EXIT_SLACK_MS
          ? undefined
          : `${part} ended with ${signal ?? code} after ${ms} ms`;
      }),
      ...(connectionsLeft > 0 ? [`${connectionsLeft} connections were left behind`] : []),
    ];
  },

  /** No deadlock reaches a client, no transaction is long, and everything runs under READ COMMITTED. */
  C13({ lines, watched, changes, historyLength }: Evidence): Violations {
    const isolations = new Set(changes.map(({ isolation }) => isolation));
    isolations.delete('READ-COMMITTED');
    return [
      ...few(
        lines.filter(({ text }) => text.includes('request failed') && text.includes('ER_LOCK_DEADLOCK')),
        () => 'a request failed with a deadlock',
      ),
      ...few([...watched.longTransactions], (id) => `transaction ${id} was older than 5 s`),
      ...few([...isolations], (isolation) => `a row was changed under ${isolation}`),
      ...(historyLength > HISTORY_LIMIT ? [`the history list has ${historyLength} entries`] : []),
    ];
  },

  C14: orderOfKeys,
  C15: effectsAreFills,
  C16: exactFailures,

  /** Whoever asks for an id that was acknowledged before finds it. */
  C18({ operations }: Evidence): Violations {
    const acknowledgedAt = new Map<number, number>();
    for (const { outcome, id, events, answeredAt } of operations.filter(isCreate))
      if (outcome === 'ok') for (let n = 0; n < events; n++) acknowledgedAt.set(id! + n, answeredAt!);
    return few(
      operations.filter(({ kind, status }) => kind === 'find' && status === 404),
      ({ id, sentAt }) => (acknowledgedAt.get(id!)! < sentAt ? `${id} was acknowledged and then not found` : undefined),
    );
  },

  /** All members of a group have the same. */
  C19({ members }: Evidence): Violations {
    return new Set(members).size > 1 ? [`the members differ: ${members.join(' ')}`] : [];
  },
};

export type InvariantName = keyof typeof invariants;

/** `consumer-1.4711.a1b2c3` is a claim of consumer-1. */
function consumerOf(claimedBy: string): string {
  return claimedBy.split('.')[0]!;
}

/** How many events had been attempted, or acknowledged, by a moment. */
function eventsUntil(
  creates: readonly Operation[][],
  counts: (operation: Operation) => boolean,
  when: (operation: Operation) => number,
): (moment: number) => number {
  const steps = creates
    .flatMap((same) => {
      const times = same.filter(counts).map(when);
      return times.length > 0 ? { at: Math.min(...times), events: same[0]!.events, sum: 0 } : [];
    })
    .toSorted((a, b) => a.at - b.at);
  let sum = 0;
  for (const step of steps) step.sum = sum += step.events;
  return (moment) => steps.findLast(({ at }) => at < moment)?.sum ?? 0;
}

function countBy<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
