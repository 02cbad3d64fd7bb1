import { registerHooks } from 'node:module';
import { type Edit, plantedEdits } from './planted-edits.ts';

/** `node --import plant.ts?bug=NAME`: a process with that bug. It does not start if the text to be changed is gone. */
const bug = new URL(import.meta.url).searchParams.get('bug') as keyof typeof plantedEdits;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = plantedEdits[bug].filter(({ file }) => url.endsWith(`/${file}`));
    return edits.length === 0 ? loaded : { ...loaded, source: edits.reduce(edit, textOf(loaded.source)) };
  },
});

function textOf(source: unknown): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source as Uint8Array);
}

function edit(source: string, { file, is, becomes }: Edit): string {
  if (!source.includes(is)) throw new Error(`cannot plant "${bug}": ${file} no longer has ${is}`);
  console.error(`planted "${bug}" in ${file}`);
  return source.replace(is, () => becomes);
}
