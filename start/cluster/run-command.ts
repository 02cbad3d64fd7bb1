import { makePrimary } from '../../database/group.ts';
import type { OperatorCommand } from './config.ts';
import { askMember, connectMember, type Member, signalMember } from './member.ts';
import { describe } from './watch-members.ts';

const ANSWER_LIMIT_MS = 2_000;
const SWITCH_LIMIT_MS = 60_000;
const SIGNALS = { kill: 'SIGKILL', freeze: 'SIGSTOP', thaw: 'SIGCONT' } as const;

/** Resolves to lines for the terminal. Rejects with a sentence if it cannot be done. */
export async function runCommand(members: readonly Member[], command: OperatorCommand): Promise<string[]> {
  if (command.name === 'status') return Promise.all(members.map(statusOf));
  const member = members[command.member - 1]!;
  if (command.name === 'switch') {
    await switchTo(member);
    return [`member ${member.number} is the primary`];
  }
  await signalMember(member, SIGNALS[command.name]);
  return [];
}

async function statusOf(member: Member): Promise<string> {
  const db = connectMember(member, ANSWER_LIMIT_MS);
  const answer = await askMember(db);
  await db.destroy();
  return `member ${member.number}, port ${member.port}: ${describe(answer)}`;
}

async function switchTo(member: Member): Promise<void> {
  const db = connectMember(member, SWITCH_LIMIT_MS);
  try {
    const answer = await askMember(db);
    if (answer?.state !== 'ONLINE') throw new Error(`member ${member.number} is not ONLINE: ${describe(answer)}`);
    await makePrimary(db, answer);
  } finally {
    await db.destroy();
  }
}
