import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Example } from './example.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** All of them by name: a folder here with an example.ts, which says how it is started. */
export async function findExamples(): Promise<Map<string, Example>> {
  const names = globSync('*/example.ts', { cwd: FOLDER }).map(dirname).toSorted();
  const examples = new Map<string, Example>();
  for (const name of names) {
    const { example } = (await import(`./${name}/example.ts`)) as { example: Example };
    examples.set(name, example);
  }
  return examples;
}
