import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { connectDatabase, type Database } from '../database/connect.ts';
import { findMember, joinGroup, makePrimary } from '../database/group.ts';
import { loadSchemaAt } from '../database/load-schema-at.ts';
import { readScript, runStatements } from '../database/sql-script.ts';
import { groupUrl } from '../start/cluster/group-url.ts';
import { GROUP_ACCOUNT, memberArgs } from '../start/cluster/member-args.ts';
import { freePort } from '../start/free-port.ts';
import { type Account, type LocalServer, localServerUrl, startLocalServer } from '../start/mysql/local-server.ts';
import { canBeInGroup, findServerProgram } from '../start/mysql/server-program.ts';
import { isRunning } from './npm-process.ts';

/** Three members of a MySQL group on this machine, with the schema. The first is the primary. */
export interface Group extends AsyncDisposable {
  /** Of all members. */
  url: (account: Account) => string;
  members: readonly Member[];
  /** Makes this member the primary, as an operator does before maintenance. */
  switchTo: (member: Member) => Promise<void>;
  /** Resolves to the primary, once one of the members takes writes. */
  primary: () => Promise<Member>;
}

export interface Member {
  port: number;
  /** Of this member alone, for `user`. */
  url: string;
  /** For the test's own questions. */
  db: Database;
  kill: () => Promise<void>;
  freeze: () => void;
  thaw: () => void;
  /** By SIGTERM. */
  stop: () => Promise<void>;
  /** After `kill` or `stop`: it joins again. */
  start: () => Promise<void>;
}

/** Where a member runs that is not simply a process of this machine. */
export interface MemberPlace {
  /** Of 127.0.0.1, where clients reach it. */
  port: number;
  /** Starts the server there. */
  program: string;
  /** Further options, which win. */
  args: string[];
}

/** Only MySQL has groups. */
export async function hasGroups(): Promise<boolean> {
  return canBeInGroup(await findServerProgram());
}

// That a process dies loses nothing that it has written to files.
const UNSYNCED = ['--innodb-flush-log-at-trx-commit=2', '--sync-binlog=0'];

/** `freshServer` is the folder of a private server that has never run. */
export async function startGroup(
  freshServer: string,
  more: string[] = [],
  places?: readonly MemberPlace[],
): Promise<Group> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-group-'));
  undo.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  const ports = places?.map(({ port }) => port) ?? (await Promise.all([freePort(), freePort(), freePort()]));
  const group = randomUUID();
  const members = await Promise.all(
    ports.map(async (port, index) => {
      const own = join(directory, String(index + 1));
      await cp(freshServer, own, { recursive: true });
      // The name of the server, which a copy shares.
      await rm(join(own, 'data', 'auto.cnf'), { force: true });
      await mkdir(own, { recursive: true });
      const args = [...memberArgs({ group, ports, index }), ...UNSYNCED, ...more];
      const member = await createMember(own, port, args, places?.[index]);
      undo.use(member);
      return member;
    }),
  );
  const [first, ...others] = members;
  await first!.join({ isFirst: true });
  await loadSchemaAt(first!.url);
  await runStatements(first!.db, await readScript('accounts-group.sql'));
  // Two that join at the same time may wait for 20 s for each other.
  for (const member of others) await member.join();
  const kept = undo.move();
  return {
    url: (account) => groupUrl(ports, account),
    members,
    async switchTo(member) {
      await makePrimary(member.db, (await findMember(member.db))!);
    },
    async primary() {
      const over = new AbortController();
      const asked = members.map(async (member) => {
        while (!(await takesWrites(member))) {
          over.signal.throwIfAborted();
          await sleep(20);
        }
        return member;
      });
      return Promise.any(asked).finally(() => over.abort());
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function createMember(directory: string, port: number, args: string[], place?: MemberPlace) {
  const options = { directory, port, program: place?.program, args: [...args, ...(place?.args ?? [])] };
  let server: LocalServer = await startLocalServer(options);
  const url = localServerUrl(port, 'user');
  const db = connectDatabase({ url, queueWaitMs: 60_000, statementTimeoutMs: 60_000 });
  const signal = (name: NodeJS.Signals) => void (isRunning(server.pid) && process.kill(server.pid, name));

  const join = (as?: { isFirst: boolean }) => joinGroup(db, GROUP_ACCOUNT, as);

  return {
    port,
    url,
    db,
    join,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async kill() {
      signal('SIGKILL');
      await server.ended;
    },
    stop: () => server.stop(),
    async start() {
      server = await startLocalServer(options);
      await join();
    },
    async [Symbol.asyncDispose]() {
      await db.destroy();
      // A member that leaves waits for the others, which end as well.
      signal('SIGKILL');
      await server.ended;
    },
  };
}

async function takesWrites({ db }: Member): Promise<boolean> {
  const asked = sql<{ readOnly: number }>`SELECT @@GLOBAL.read_only AS readOnly`.execute(db);
  return asked.then(
    ({ rows }) => rows[0]!.readOnly === 0,
    () => false,
  );
}
