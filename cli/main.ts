import { connectDatabase } from '../database/connect.ts';
import { runMain } from '../process/run-main.ts';
import { HELP, readOperatorConfig } from './config.ts';
import { runCommand } from './run-command.ts';

/** `npm run events`: what an operator asks and does in a terminal. The exit code is 1 if any of it could not be done. */
async function main(args: string[]): Promise<void> {
  const { command, json, ...config } = readOperatorConfig(args);
  if (command.name === 'help') {
    process.stdout.write(HELP);
    return;
  }
  const db = connectDatabase({
    url: config.DATABASE_URL,
    poolSize: 1,
    statementTimeoutMs: config.DATABASE_TIMEOUT_MS,
  });
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  try {
    if (!(await runCommand({ db, json, write, complain }, command))) process.exitCode = 1;
  } finally {
    await db.destroy();
  }
}

function complain(line: string): void {
  process.stderr.write(`events: ${line}\n`);
}

runMain('events', main);
