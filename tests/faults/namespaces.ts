import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../start/free-port.ts';
import { findServerProgram } from '../../start/mysql/server-program.ts';
import { findProgram } from '../../start/programs.ts';
import type { MemberPlace } from '../group.ts';
import { startFaultProxy } from './fault-proxy.ts';

/** Places for the members of a group, each in a network namespace of its own, all on one bridge of this machine. */
export interface Namespaces extends AsyncDisposable {
  places: readonly MemberPlace[];
  /** This one and the others no longer reach each other. */
  cut: (index: number, on: boolean) => Promise<void>;
}

const run = promisify(execFile);
const ip = (...args: string[]) => run(findProgram('ip')!, args);

/** Why this machine does not let us have any. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || !findProgram('ip')) return 'network namespaces need root and the program ip';
  const directory = await mkdtemp(join(tmpdir(), 'event-queue-namespaces-'));
  try {
    const one = await startNamespaces(directory, 1);
    await one[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return `network namespaces cannot be made: ${(error as Error).message.trim()}`;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** All of it is gone when it is disposed of. `directory` holds the programs that start a server in its place. */
export async function startNamespaces(directory: string, count: number): Promise<Namespaces> {
  await using undo = new AsyncDisposableStack();
  const name = `eq${randomBytes(4).toString('hex')}`;
  const network = freeNetwork();
  await ip('link', 'add', name, 'type', 'bridge');
  undo.defer(() => ip('link', 'del', name).then(() => {}));
  await ip('address', 'add', `${network}.254/24`, 'dev', name);
  await ip('link', 'set', name, 'up');
  const { path } = await findServerProgram();
  const inside = (index: number, ...args: string[]) => ip('-n', `${name}-${index}`, ...args);
  const addressOf = (index: number) => `${network}.${index + 1}`;
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const seeds = ports.map((port, index) => `${addressOf(index)}:${port}`);

  async function makePlace(port: number, index: number): Promise<MemberPlace> {
    const namespace = `${name}-${index}`;
    await ip('netns', 'add', namespace);
    undo.defer(() => ip('netns', 'del', namespace).then(() => {}));
    await ip('link', 'add', namespace, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('link', 'set', namespace, 'master', name, 'up');
    await inside(index, 'address', 'add', `${addressOf(index)}/24`, 'dev', 'eth0');
    await inside(index, 'link', 'set', 'eth0', 'up');
    await inside(index, 'link', 'set', 'lo', 'up');
    // So that clients, and whoever starts the server, find it on 127.0.0.1 as any other.
    const relay = undo.use(await startFaultProxy(port, undefined, addressOf(index)));
    const program = join(directory, namespace);
    await writeFile(program, `#!/bin/sh\nexec ip netns exec ${namespace} '${path}' "$@"\n`, { mode: 0o755 });
    const args = [
      `--bind-address=${addressOf(index)}`,
      `--report-host=${addressOf(index)}`,
      `--port=${port}`,
      `--group-replication-local-address=${seeds[index]}`,
      `--group-replication-group-seeds=${seeds.join()}`,
    ];
    return { port: relay.port, program, args };
  }
  const places: MemberPlace[] = [];
  for (const [index, port] of ports.entries()) places.push(await makePlace(port, index));

  /** What one sends to the other goes to a network card that nobody has. */
  async function lose(from: number, to: number, on: boolean): Promise<void> {
    if (!on) return void (await inside(from, 'neighbour', 'del', addressOf(to), 'dev', 'eth0'));
    const nobody = ['lladdr', '02:00:00:00:00:01', 'dev', 'eth0', 'nud', 'permanent'];
    await inside(from, 'neighbour', 'replace', addressOf(to), ...nobody);
  }
  const kept = undo.move();
  return {
    places,
    async cut(index, on) {
      const others = places.keys().filter((other) => other !== index);
      await Promise.all(others.flatMap((other) => [lose(index, other, on), lose(other, index, on)]));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The first three numbers of an address that this machine uses nowhere, of those that are for tests. */
function freeNetwork(): string {
  const used = Object.values(networkInterfaces()).flatMap((addresses) => addresses!.map(({ address }) => address));
  for (;;) {
    const network = `198.18.${randomInt(256)}`;
    if (!used.some((address) => address.startsWith(`${network}.`))) return network;
  }
}
