import { hideSecrets } from './hide-secrets.ts';

/** Runs a process. If `main` rejects, prints its message as one line, `name: message`, and ends with status 1. */
export function runMain(name: string, main: (args: string[]) => Promise<void>): void {
  // When nobody reads the output any more, the work still ends in order.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
  main(process.argv.slice(2)).catch(async (error: unknown) => {
    console.error(`${name}: ${hideSecrets(error instanceof Error ? error.message : String(error))}`);
    await Promise.race([flushOutput(), after(FLUSH_LIMIT_MS)]);
    process.exit(1); // also when a server is listening already
  });
}

// For whoever reads slowly, or not at all.
const FLUSH_LIMIT_MS = 2_000;

/** Resolves when what was written is out: a full pipe takes it by and by, and process.exit would lose the rest. */
async function flushOutput(): Promise<void> {
  for (const output of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => output.write('', () => resolve()));
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Ends the process with status 0 after `graceMs`, whatever still hangs then; does not keep it running until then. */
export function exitAfter(graceMs: number): void {
  setTimeout(() => process.exit(0), graceMs).unref();
}
