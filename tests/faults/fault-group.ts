import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findMember, joinGroup, leaveGroup } from '../../database/group.ts';
import { GROUP_ACCOUNT } from '../../start/cluster/member-args.ts';
import { makeFolder, prepareDataFolder } from '../../start/mysql/data-folder.ts';
import { findServerProgram } from '../../start/mysql/server-program.ts';
import { readChecksums } from '../checksums.ts';
import { type Group, hasGroups, type Member, startGroup } from '../group.ts';
import { startNamespaces, whyNoNamespaces } from './namespaces.ts';

export interface GroupOptions {
  /** Each member has a network namespace of its own, so that the others can be out of its reach. @default false */
  canBeCut?: boolean;
}

/** A group whose members can be lost and come back. */
export interface FaultGroup extends Group {
  /** Of all members, without a database. */
  serverUrl: string;
  /** The first member and the others no longer reach each other. Clients reach all. */
  cut: (on: boolean) => Promise<void>;
  /** Resolves when all members are in the group. One that has failed to join again is told to, as an operator does. */
  whole: () => Promise<void>;
  /** Of each member: once all have the same, or after a while. */
  checksums: () => Promise<string[]>;
}

interface StartOptions extends GroupOptions {
  directory: string;
  databaseName: string;
  freshServer?: string | undefined;
}

const TABLES = ['Events', 'EventPayloads', 'DBStatus', 'Changes', 'Effects'];
const EQUAL_LIMIT_MS = 20_000;
// One that finds no donor asks again after a minute.
const WHOLE_LIMIT_MS = 180_000;
// A second attempt of its own comes after five minutes.
const OWN_ATTEMPT_MS = 25_000;
const LOOK_MS = 50;

/** Why this machine has no such group. */
export async function whyNoGroup({ canBeCut = false }: GroupOptions): Promise<string | undefined> {
  if (!(await hasGroups())) return 'only MySQL 9 has groups';
  return canBeCut ? whyNoNamespaces() : undefined;
}

export async function startFaultGroup(options: StartOptions): Promise<FaultGroup> {
  const { directory, databaseName, canBeCut = false } = options;
  await using undo = new AsyncDisposableStack();
  const freshServer = options.freshServer ?? (await makeFreshServer(directory));
  const namespaces = canBeCut ? undo.use(await startNamespaces(directory, 3)) : undefined;
  const group = undo.use(await startGroup(freshServer, [], namespaces?.places));
  const tables = TABLES.map((table) => `${databaseName}.${table}`);
  const kept = undo.move();
  return {
    ...group,
    serverUrl: group.url('user').replace(/[^/]*$/, ''),
    cut: (on) => namespaces!.cut(0, on),
    async whole() {
      const from = Date.now();
      for (let isHelped = false; ; await sleep(LOOK_MS)) {
        const states = await Promise.all(group.members.map(async ({ db }) => (await findMember(db))?.state));
        if (states.every((state) => state === 'ONLINE')) return;
        if (Date.now() > from + WHOLE_LIMIT_MS) throw new Error(`the members are ${states.join(', ')}`);
        if (isHelped || Date.now() < from + OWN_ATTEMPT_MS) continue;
        isHelped = true;
        for (const member of group.members.filter((_, n) => states[n] === 'ERROR')) await joinAgain(member);
      }
    },
    async checksums() {
      for (const giveUpAt = Date.now() + EQUAL_LIMIT_MS; ; await sleep(LOOK_MS)) {
        const sums = await readChecksums(group.members, tables);
        if (new Set(sums).size === 1 || Date.now() > giveUpAt) return sums;
      }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function makeFreshServer(directory: string): Promise<string> {
  const fresh = join(directory, 'fresh');
  await makeFolder(fresh);
  await prepareDataFolder(fresh, await findServerProgram(), () => {});
  return fresh;
}

async function joinAgain({ db }: Member): Promise<void> {
  await leaveGroup(db);
  await joinGroup(db, GROUP_ACCOUNT);
}
