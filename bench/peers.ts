import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { drawPeersChart, type PeerFigures } from './charts/peers.ts';

const RUN = fileURLToPath(new URL('peers/run.ts', import.meta.url));
const INSTALL = 'npm ci --prefix bench/peers';

/**
 * Measures other queues on the same work and prints their table; the figures go into `file`, a JSON file, and the
 * README's chart beside it. The other queues are a package of their own, which `npm ci` does not install.
 */
export async function runPeers(file: string, quick: boolean, signal: AbortSignal): Promise<void> {
  if (!existsSync(new URL('peers/node_modules', import.meta.url))) {
    throw new Error(`the other queues are not installed; ${INSTALL} does that`);
  }
  const args = [RUN, '--out', file, ...(quick ? ['--quick'] : [])];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const stop = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  const [status] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', stop);
  if (status !== 0) throw new Error(`${RUN} ended with ${status}`);
  const figures = JSON.parse(await readFile(file, 'utf8')) as PeerFigures;
  await writeFile(file.replace(/json$/, 'svg'), `${drawPeersChart(figures)}\n`);
}
