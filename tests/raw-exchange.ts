import { connect } from 'node:net';

export interface RawAnswer {
  /** 0 for one without a head, as HTTP/0.9 had them. */
  status: number;
  /** By their names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/**
 * Writes these bytes as they are, which no HTTP client would, and resolves to all answers once the other side has closed
 * the connection. Rejects when it has not within `limitMs`.
 */
export async function exchange(port: number, bytes: string, limitMs = 5_000): Promise<RawAnswer[]> {
  const socket = connect(port, '127.0.0.1');
  const limit = setTimeout(() => socket.destroy(new Error(`not closed within ${limitMs} ms, after: ${text}`)), limitMs);
  let text = '';
  try {
    socket.on('error', () => {}); // the loop below has it, too
    socket.write(Buffer.from(bytes, 'latin1'));
    for await (const piece of socket) text += (piece as Buffer).toString('latin1');
  } catch (error) {
    // A reset after an answer is how a server says that it read no further.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || text === '') throw error;
  } finally {
    clearTimeout(limit);
    socket.destroy();
  }
  return parseAnswers(text);
}

function parseAnswers(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  if (text.startsWith('{')) return [{ status: 0, headers: {}, body: text }];
  while (text !== '') {
    const headEnd = text.indexOf('\r\n\r\n');
    const [statusLine, ...lines] = text.slice(0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)?.[1]);
    if (headEnd < 0 || !status) throw new Error(`no HTTP answer: ${text}`);
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const rest = text.slice(headEnd + 4);
    const { body, length } = headers['transfer-encoding'] === 'chunked' ? readChunks(rest) : readLength(headers, rest);
    answers.push({ status, headers, body: Buffer.from(body, 'latin1').toString('utf8') });
    text = rest.slice(length);
  }
  return answers;
}

function readLength(headers: Record<string, string>, rest: string): { body: string; length: number } {
  // An answer to HEAD has a length and no body: what follows is the next answer, or nothing.
  const length = /^(HTTP\/1\.1 |$)/.test(rest) ? 0 : Number(headers['content-length'] ?? 0);
  return { body: rest.slice(0, length), length };
}

function readChunks(rest: string): { body: string; length: number } {
  let body = '';
  for (let at = 0; ; ) {
    const sizeEnd = rest.indexOf('\r\n', at);
    const size = Number.parseInt(rest.slice(at, sizeEnd), 16);
    body += rest.slice(sizeEnd + 2, sizeEnd + 2 + size);
    at = sizeEnd + 2 + size + 2;
    if (size === 0) return { body, length: at };
    if (!(size > 0)) throw new Error(`bad chunks: ${rest}`);
  }
}
