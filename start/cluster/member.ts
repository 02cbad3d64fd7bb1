import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectDatabase, type Database } from '../../database/connect.ts';
import { findMember, type GroupMember } from '../../database/group.ts';
import { localServerUrl, PID_FILE } from '../mysql/local-server.ts';
import { whyNoConnection } from '../part.ts';

/** A server of the cluster; whoever knows its folder and port can deal with it, not only the process that started it. */
export interface Member {
  /** From 1. */
  number: number;
  port: number;
  directory: string;
}

const CONNECT_LIMIT_MS = 3_000;

export function membersOf({ directory, ports }: { directory: string; ports: readonly number[] }): Member[] {
  return ports.map((port, index) => ({ number: index + 1, port, directory: join(directory, String(index + 1)) }));
}

/** As one who may do everything. One that does not run is not waited for longer than a connection may take. */
export function connectMember({ port }: Member, limitMs: number): Database {
  const connectTimeoutMs = Math.min(limitMs, CONNECT_LIMIT_MS);
  return connectDatabase({
    url: localServerUrl(port, 'user'),
    poolSize: 1,
    retryMs: connectTimeoutMs,
    queueWaitMs: limitMs,
    connectTimeoutMs,
    statementTimeoutMs: limitMs,
  });
}

/** What the member says of itself; undefined if it does not answer. */
export function askMember(db: Database): Promise<GroupMember | undefined> {
  return findMember(db).catch(() => undefined);
}

/** Rejects with a sentence if it does not run. */
export async function signalMember(member: Member, signal: NodeJS.Signals): Promise<void> {
  const pid = Number(await readFile(join(member.directory, PID_FILE), 'utf8').catch(() => 0));
  if (pid === 0 || !(await isServerOf(member, pid))) throw new Error(`member ${member.number} does not run`);
  process.kill(pid, signal);
}

/** The file with its pid outlives a server that was killed, and another process may have the same pid by now. */
async function isServerOf({ directory, port }: Member, pid: number): Promise<boolean> {
  if (!existsSync('/proc/self/cmdline')) return (await whyNoConnection(port)) === undefined;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes(`--pid-file=${join(directory, PID_FILE)}\0`);
}
