import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../database/connect.ts';
import { findMostAdvanced, joinGroup, leaveGroup } from '../../database/group.ts';
import { loadSchemaAt } from '../../database/load-schema-at.ts';
import { loadScript } from '../../database/load-script.ts';
import { localServerUrl, startLocalServer } from '../mysql/local-server.ts';
import type { Part } from '../part.ts';
import { type RunningSystem, startSystem } from '../start-system.ts';
import { askMember, connectMember, type Member, signalMember } from './member.ts';
import { GROUP_ACCOUNT, memberArgs } from './member-args.ts';
import { watchMembers } from './watch-members.ts';

export interface ClusterOptions {
  members: readonly Member[];
  program: string | undefined;
  say: (line: string) => void;
  signal: AbortSignal;
}

// All of these clusters may have the same: each keeps to the ports of this machine that it knows.
const GROUP = '6b0e7a2c-3f0d-4d0b-9a53-2f6f0c8c1d17';
const ACCOUNTS = new URL('../../database/accounts-group.sql', import.meta.url);
// Longer than the group takes to choose another primary, so that one can watch it.
const RESTART_AFTER_MS = 20_000;
const JOIN_AGAIN_MS = 2_000;
const JOIN_LIMIT_MS = 60_000;
const LEAVE_LIMIT_MS = 10_000;

/**
 * Starts the servers, and makes them one group that has the schema. One that ends by itself is started again and joins
 * again. Resolves earlier once `signal` is aborted.
 */
export async function startCluster({ members, program, say, signal }: ClusterOptions): Promise<RunningSystem> {
  const servers = members.map((member) => ({ member, db: connectMember(member, JOIN_LIMIT_MS) }));
  const ports = members.map(({ port }) => port);
  const stopping = new AbortController();
  let isFormed = false;
  const toPart = ({ member, db }: Server): Part => ({
    name: `member ${member.number}`,
    restartAfterMs: RESTART_AFTER_MS,
    async start(signal) {
      const { directory, port, number } = member;
      const args = memberArgs({ group: GROUP, ports, index: number - 1 });
      const server = await startLocalServer({ directory, port, program, args, say, signal });
      if (isFormed) void joinAgain(db, [stopping.signal, abortedBy(server.ended)]);
      return server;
    },
  });
  const system = await startSystem([servers.map(toPart)], say, signal);
  if (signal.aborted) return system;
  const watching = new AbortController();
  let watched: Promise<void> | undefined;
  const stop = async () => {
    stopping.abort();
    await leave(members);
    watching.abort();
    await watched;
    await system.stop();
    await Promise.all(servers.map(({ db }) => db.destroy()));
  };
  try {
    await form(servers, signal);
    isFormed = true;
    watched = watchMembers(members, say, watching.signal);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Server {
  member: Member;
  db: Database;
}

/** The one that has everything begins; the others join, one after the other: at the same time they may wait for 20 s. */
async function form(servers: readonly Server[], signal: AbortSignal): Promise<void> {
  const first = await findMostAdvanced(servers);
  if (!first) {
    throw new Error(
      'each member has events that the others lack. Keep the folder of one, and remove those of the others',
    );
  }
  await joinGroup(first.db, GROUP_ACCOUNT, { isFirst: true });
  const url = localServerUrl(first.member.port, 'user');
  await loadSchemaAt(url, signal);
  await loadScript(ACCOUNTS, url);
  for (const { db } of servers.filter((server) => server !== first)) {
    if (!signal.aborted) await joinGroup(db, GROUP_ACCOUNT);
  }
}

/** A group that has not noticed yet that a member died refuses it. */
async function joinAgain(db: Database, ends: AbortSignal[]): Promise<void> {
  const signal = AbortSignal.any(ends);
  while (!signal.aborted) {
    const isJoined = await joinGroup(db, GROUP_ACCOUNT).then(
      () => true,
      () => false,
    );
    if (isJoined) return;
    await sleep(JOIN_AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}

function abortedBy(ended: Promise<unknown>): AbortSignal {
  const abort = new AbortController();
  void ended.then(() => abort.abort());
  return abort.signal;
}

/** The primary last, so that the group need not choose another. Connections of `servers` may be waiting to join. */
async function leave(members: readonly Member[]): Promise<void> {
  const asked = members.map(async (member) => {
    await signalMember(member, 'SIGCONT').catch(() => {});
    const db = connectMember(member, LEAVE_LIMIT_MS);
    return { db, answer: await askMember(db) };
  });
  const answered = (await Promise.all(asked)).toSorted(
    (a, b) => Number(a.answer?.isPrimary ?? false) - Number(b.answer?.isPrimary ?? false),
  );
  for (const { db, answer } of answered) {
    if (answer?.state === 'ONLINE') await leaveGroup(db).catch(() => {});
    await db.destroy();
  }
}
