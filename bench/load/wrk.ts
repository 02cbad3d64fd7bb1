import { fileURLToPath } from 'node:url';
import { findProgram } from '../../start/programs.ts';
import { runLoad } from './run-load.ts';

const SCRIPT = fileURLToPath(new URL('post.lua', import.meta.url));
const CONNECTIONS = 64;

/**
 * As many POSTs as these connections can make in so many whole seconds, each after the answer to the one before.
 * Resolves to requests per second; rejects if one was not answered with 2xx or 3xx.
 */
export async function postAtFullSpeed(
  url: string,
  seconds: number,
  signal: AbortSignal,
  connections = CONNECTIONS,
): Promise<number> {
  const args = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`];
  const printed = await runLoad(findProgram('wrk')!, [...args, '--timeout', '20s', '--script', SCRIPT, url], signal);
  const last = printed.trim().split('\n').at(-1)!;
  const result = JSON.parse(last) as { requests: number; seconds: number; failed: number };
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests to ${url} failed`);
  return result.requests / result.seconds;
}
