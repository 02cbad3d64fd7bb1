import { readFileSync } from 'node:fs';

/** The version of a package that is installed here, or of the repository itself. */
export function packageVersion(name: string): string {
  const folder = name === 'ours' ? '../../' : `node_modules/${name}/`;
  const text = readFileSync(new URL(`${folder}package.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
