/** Runs a process. If `main` rejects, prints its message as one line, `name: message`, and ends with status 1. */
export function runMain(name: string, main: (args: string[]) => Promise<void>): void {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1); // also when a server is listening already
  });
}

/** Ends the process with status 0 after `graceMs`, whatever still hangs then; does not keep it running until then. */
export function exitAfter(graceMs: number): void {
  setTimeout(() => process.exit(0), graceMs).unref();
}
