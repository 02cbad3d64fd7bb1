import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { environmentHelp } from '../../process/settings-help.ts';
import type { PortOfPart } from '../config.ts';
import { localServerSettings } from '../mysql/config.ts';

/** What one does to a member, by its number from 1. */
const ACTIONS = ['kill', 'freeze', 'thaw', 'switch'] as const;
const SIZE = 3;
const LAST_PORT = 65_535;

/** What is done to a cluster that runs. */
export type OperatorCommand = { name: 'status' } | { name: (typeof ACTIONS)[number]; member: number };
type ClusterCommand = { name: 'start' } | { name: 'help' } | OperatorCommand;

export interface ClusterConfig {
  /** Of the whole cluster; each member has one in it. */
  directory: string;
  ports: readonly number[];
  command: ClusterCommand;
  program: string | undefined;
  portsOfParts: PortOfPart[];
}

export function readClusterConfig(args: string[]): ClusterConfig {
  const command = readCommand(args);
  const { DATA_DIRECTORY, MYSQL_PORT, MYSQL_PROGRAM } = readSettings(localServerSettings, readEnvironment());
  if (MYSQL_PORT + SIZE > LAST_PORT) {
    throw new Error(`MYSQL_PORT=${MYSQL_PORT}: expected at most ${LAST_PORT - SIZE}, for the members listen after it`);
  }
  const ports = Array.from({ length: SIZE }, (_, index) => MYSQL_PORT + index + 1);
  return {
    command,
    directory: resolve(DATA_DIRECTORY, 'cluster'),
    ports,
    portsOfParts: ports.map((port) => ({ port, portVariable: 'MYSQL_PORT' })),
    program: MYSQL_PROGRAM || undefined,
  };
}

function readCommand(args: string[]): ClusterCommand {
  const { values, positionals } = parseArgs({
    args,
    options: { help: { type: 'boolean' } },
    allowPositionals: true,
  });
  if (values.help) return { name: 'help' };
  const [name, number, ...more] = positionals;
  if (name === undefined) return { name: 'start' };
  if (name === 'status' && number === undefined) return { name };
  const action = ACTIONS.find((known) => known === name);
  const isMember = /^[1-3]$/.test(number ?? '') && more.length === 0;
  if (action && isMember) return { name: action, member: Number(number) };
  throw new Error(
    `unknown command ${JSON.stringify(positionals.join(' '))}: expected status, or one of ${ACTIONS.join(', ')} and the number of a member, 1 to ${SIZE}`,
  );
}

/** What `--help` prints. */
export const helpText = () =>
  environmentHelp(
    `Usage: npm run cluster [-- COMMAND]

Starts three MySQL servers that are one group: one takes writes, and when it dies another does. Ctrl-C stops them; the
data stays. It takes MySQL 9 or newer. Member 1 listens on the port after MYSQL_PORT, and so on. From another terminal:

  status        which member is the primary, and which answer
  switch 2      makes member 2 the primary, as one does before maintenance
  kill 1        kills member 1; 20 s later it is started again, and joins
  freeze 1      stops member 1 as if its machine stood still …
  thaw 1        … and lets it go on
`,
    localServerSettings,
  );
