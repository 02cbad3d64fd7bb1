import { exitAfter, runMain } from '../../process/run-main.ts';
import { stopSignal } from '../../process/stop-signal.ts';
import { checkPorts } from '../check-ports.ts';
import { endChildren } from '../child-process.ts';
import { canBeInGroup, findServerProgram } from '../mysql/server-program.ts';
import { installPrograms, missingServer } from '../programs.ts';
import { type ClusterConfig, helpText, readClusterConfig } from './config.ts';
import { groupUrl } from './group-url.ts';
import { membersOf } from './member.ts';
import { runCommand } from './run-command.ts';
import { startCluster } from './start-cluster.ts';

/** `npm run cluster`: three servers that are one group, until Ctrl-C; or what one does to them from another terminal. */
async function main(args: string[]): Promise<void> {
  const { command, ...config } = readClusterConfig(args);
  if (command.name === 'help') return void process.stdout.write(helpText());
  if (command.name === 'start') return start(config);
  for (const line of await runCommand(membersOf(config), command)) console.log(line);
}

async function start({ program, ports, ...config }: Omit<ClusterConfig, 'command'>): Promise<void> {
  const say = (line: string) => console.log(`${new Date().toTimeString().slice(0, 8)} ${line}`);
  const stop = new AbortController();
  const stopped = stopSignal(endChildren).then(() => {
    say('stopping');
    stop.abort();
  });
  await installPrograms(missingServer(program ?? ''), say);
  await checkProgram(program);
  await checkPorts(config.portsOfParts);
  const members = membersOf({ ...config, ports });
  const cluster = await startCluster({ members, program, say, signal: stop.signal });
  if (!stop.signal.aborted) {
    say('ready. In other terminals:');
    say(`  DATABASE_URL=${groupUrl(ports, 'user')} npm start`);
    say('  npm run cluster -- kill 1    (or switch, freeze, thaw, status)');
  }
  await stopped;
  await cluster.stop();
  say('stopped');
  exitAfter(0); // a member that was joining may still be waited for
}

async function checkProgram(given: string | undefined): Promise<void> {
  const program = await findServerProgram(given);
  if (canBeInGroup(program)) return;
  const { product, version, path } = program;
  throw new Error(`a group takes MySQL 9 or newer, and ${path} is ${product} ${version}: set MYSQL_PROGRAM to another`);
}

runMain('cluster', main);
