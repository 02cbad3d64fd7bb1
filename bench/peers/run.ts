import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

const HELP = `Usage: node bench/peers/run.ts [--quick] [--only NAME,…] [--metrics METRIC,…] [--out FILE]

Measures this queue beside others on the same work, each on a private server of its own, and prints a table; --out
writes the numbers as JSON. A NAME is a queue, or how several begin: ours. A METRIC is add, bulk, drain, two-processes or
one-process. Before the first time: npm ci --prefix bench/peers. See bench/peers/README.md.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      metrics: { type: 'string', default: '' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (!existsSync(new URL('node_modules', import.meta.url))) {
    throw new Error('the peers are not installed; run npm ci --prefix bench/peers');
  }
  // Only now: all of them import packages that were just looked for.
  const { comparePeers } = await import('./comparison.ts');
  const { METRICS } = await import('./peer.ts');
  const { PEER_NAMES } = await import('./peers.ts');
  const { toMarkdown } = await import('./table.ts');
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(new Error('stopped before the end')));
  }
  const comparison = await comparePeers(
    {
      quick: values.quick,
      only: choose(values.only, PEER_NAMES),
      metrics: values.metrics ? METRICS.filter((name) => choose(values.metrics, METRICS).includes(name)) : METRICS,
      say: (line) => process.stderr.write(`${line}\n`),
    },
    stop.signal,
  );
  if (values.out) await writeFile(values.out, `${JSON.stringify(comparison, null, 2)}\n`);
  process.stdout.write(`\n${toMarkdown(comparison)}`);
}

function choose(list: string, known: readonly string[]): string[] {
  const chosen = list.split(',').filter(Boolean);
  const strange = chosen.filter((name) => !known.some((whole) => whole.startsWith(name)));
  if (strange.length > 0) throw new Error(`${strange.join(', ')} not known; there are ${known.join(', ')}`);
  return chosen;
}

main().catch((error: unknown) => {
  console.error(`peers: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
