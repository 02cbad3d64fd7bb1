import type { Database } from '../database/connect.ts';
import { type ClaimedEvent, lockNextEvents } from '../database/events/claim.ts';
import type { TransactionHandler } from '../handlers/handler.ts';

// They stay in memory until the transaction ends.
const PAYLOAD_LIMIT = 8_000_000;

/**
 * The claims, then the next events of their keys, round by round, up to the handler's `batch`: docs/design.md, "Keys". A key
 * goes on only if its event is in `fills` before the next one is asked for.
 */
export async function* inOrderOfKeys(
  db: Database,
  { kind, batch, attempts: maxFailures }: TransactionHandler,
  claims: readonly ClaimedEvent[],
  fills: readonly ClaimedEvent[],
): AsyncGenerator<ClaimedEvent> {
  let limit = batch;
  let payloadRoom = PAYLOAD_LIMIT;
  let round = claims;
  for (let nth = 1; round.length > 0; nth++) {
    const filledBefore = fills.length;
    yield* round;
    limit -= round.length;
    for (const { payload } of round) payloadRoom -= payload?.length ?? 0;
    const after = fills.slice(filledBefore).flatMap(({ id, hasNext }) => (hasNext ? [id] : []));
    if (after.length === 0 || limit <= 0 || payloadRoom <= 0) return;
    round = await lockNextEvents(db, { kind, limit, maxFailures, after, nth, payloadRoom });
  }
}
