/** The body of an answer as it must not be; it would be the same the next time. */
export class RefusedBodyError extends Error {
  override readonly name = 'RefusedBodyError';
}

/**
 * The body as text, of which no more is read than `maxBytes`. A small compressed answer may unpack to a very large one, so
 * none is taken: ask for `Accept-Encoding: identity`.
 */
export async function readBoundedBody(
  response: Response,
  { maxBytes, sender }: { maxBytes: number; sender: string },
): Promise<string> {
  if (!['identity', null].includes(response.headers.get('content-encoding'))) {
    throw new RefusedBodyError(`${sender} sent a compressed answer`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new RefusedBodyError(`${sender} sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new Error(`${sender} sent broken UTF-8`, { cause });
  }
}

/** Ends the connection of an answer whose body nobody reads, or it stays open. */
export async function dropBody(response: Response): Promise<void> {
  if (!response.bodyUsed) await response.body?.cancel();
}
