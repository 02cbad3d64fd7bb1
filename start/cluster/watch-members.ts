import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupMember } from '../../database/group.ts';
import { askMember, connectMember, type Member } from './member.ts';

const ASK_EACH_MS = 200;
const ANSWER_LIMIT_MS = 500;

/** Says what becomes of the members, and how long there was no primary, until `signal` is aborted. */
export async function watchMembers(
  members: readonly Member[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const watched = members.map((member) => ({ member, db: connectMember(member, ANSWER_LIMIT_MS), said: '' }));
  let primary: { member: Member; seenAt: number } | undefined;

  async function round(): Promise<number> {
    const askedAt = Date.now();
    const primaries: Member[] = [];
    await Promise.all(
      watched.map(async (one) => {
        const answer = await askMember(one.db);
        if (answer?.isPrimary) primaries.push(one.member);
        const said = describe(answer);
        if (said !== one.said) say(`member ${one.member.number}: ${said}`);
        one.said = said;
      }),
    );
    // One that was frozen calls itself the primary for a while when it wakes up.
    const now = primaries.find((member) => member === primary?.member) ?? primaries[0];
    if (now && primary && now !== primary.member) {
      const gap = ((askedAt - primary.seenAt) / 1_000).toFixed(1);
      say(
        `member ${now.number} is the primary now, ${gap} s after member ${primary.member.number} was last seen as it`,
      );
    }
    if (now) primary = { member: now, seenAt: askedAt };
    return ASK_EACH_MS;
  }

  while (!signal.aborted) await sleep(await round(), undefined, { signal }).catch(() => {});
  await Promise.all(watched.map(({ db }) => db.destroy()));
}

/** Of what a member says of itself. */
export function describe(answer: GroupMember | undefined): string {
  if (!answer) return 'does not answer';
  return answer.isPrimary ? `${answer.state}, primary` : answer.state;
}
