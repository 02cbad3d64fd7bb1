import { readFileSync } from 'node:fs';

const WORDS = readFileSync(new URL('words.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((word) => word !== '');

// Serialised once: under load the service must not be what is measured.
const ITEMS = WORDS.map((word) => JSON.stringify({ word }));

/** `count` words taken at random, as the JSON list that the public service would send. */
export function randomWords(count: number): string {
  const items = Array.from({ length: count }, () => ITEMS[Math.floor(Math.random() * ITEMS.length)]!);
  return `[${items.join(',')}]`;
}
