import { loadSchemaAt } from '../../database/load-schema-at.ts';
import { type LocalServer, type LocalServerOptions, startLocalServer } from './local-server.ts';

/** A private server that has the schema. Once `signal` is aborted, resolves to a server that is stopped. */
export async function startWithSchema(options: LocalServerOptions & { signal: AbortSignal }): Promise<LocalServer> {
  const { signal } = options;
  const server = await startLocalServer(options);
  if (signal.aborted) return server;
  // An upgrade may take an hour. A server that stops breaks it off, and the next start begins it again.
  const stop = () => void server.stop();
  signal.addEventListener('abort', stop);
  try {
    await loadSchemaAt(server.url(), signal);
  } catch (error) {
    await server.stop();
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return server;
}
