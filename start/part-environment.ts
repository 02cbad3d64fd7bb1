import { resolve } from 'node:path';

export type Environment = Record<string, string | undefined>;

/** What every process of ours is given here: what a terminal is to look like, and then what is in the environment. */
export function partEnvironment(dataDirectory: string, environment: Environment): Environment {
  return {
    ...(process.stdout.isTTY ? { LOG_FORMAT: 'pretty', FORCE_COLOR: '1' } : {}),
    // Keeps the JavaScript of our TypeScript: from the second start on a process is up in two thirds of the time, with 20 MB less.
    NODE_COMPILE_CACHE: resolve(dataDirectory, 'compile-cache'),
    ...environment,
  };
}
