import { readFileSync } from 'node:fs';

const BYTE_ORDER_MARKS: [encoding: string, mark: number[]][] = [
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** A file's text without its byte order mark, in UTF-8 or, as PowerShell writes it, UTF-16. Throws `EACCES` and the like. */
export function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    const [encoding] = BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte)) ?? ['utf-8'];
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw new Error(code, { cause });
  }
  throw new Error('not UTF-8');
}
