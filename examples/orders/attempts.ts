import { type Database, listDead, searchLog, showEvent } from '../../index.ts';
import type { Message } from './message.ts';

/** How each attempt at a message ended, by time; empty if it is unknown, or its log forgotten. */
export async function readLog(db: Database, messageId: string) {
  const lines = await searchLog(db, { key: messageId });
  const message = lines[0] && (await readMessage(db, lines[0].id));
  return (
    lines
      // What a dead consumer began has not ended, and the next attempt has its number.
      .filter(({ outcome }) => outcome === 'later' || outcome === 'filled' || outcome === 'dead')
      .map(({ outcome, text, endedAt }, index) => ({
        message_id: messageId,
        attempt: index + 1,
        outcome: outcome === 'later' ? 'failed' : outcome,
        text,
        origin: message?.origin,
        order: message?.order,
        processed_at: endedAt,
      }))
  );
}

/** By id, at most 100, and only those after `after`. */
export async function readDead(db: Database, after: number) {
  const dead = [];
  for (const { id, lastError } of await listDead(db, { limit: 100, after })) {
    const message = await readMessage(db, id);
    if (message) dead.push({ id, ...message, reason: lastError });
  }
  return dead;
}

async function readMessage(db: Database, id: number): Promise<Message | undefined> {
  const { kind, payload } = (await showEvent(db, id)) ?? {};
  return kind === 'order' && payload ? (JSON.parse(payload) as Message) : undefined;
}
