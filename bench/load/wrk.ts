import { fileURLToPath } from 'node:url';
import { findProgram } from '../../start/programs.ts';
import { runLoad } from './run-load.ts';

const SCRIPT = fileURLToPath(new URL('post.lua', import.meta.url));
export interface FullSpeed {
  /** @default 64 */
  connections?: number;
  /** A text of JSON. @default none */
  body?: string;
}

/**
 * As many POSTs as these connections can make in so many whole seconds, each after the answer to the one before.
 * Resolves to requests per second; rejects if one was not answered with 2xx or 3xx.
 */
export async function postAtFullSpeed(
  url: string,
  seconds: number,
  signal: AbortSignal,
  { connections = 64, body }: FullSpeed = {},
): Promise<number> {
  const args = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`];
  args.push('--timeout', '20s', '--script', SCRIPT, url, ...(body === undefined ? [] : ['--', body]));
  const printed = await runLoad(findProgram('wrk')!, args, signal);
  const last = printed.trim().split('\n').at(-1)!;
  const result = JSON.parse(last) as { requests: number; seconds: number; failed: number };
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests to ${url} failed`);
  return result.requests / result.seconds;
}
