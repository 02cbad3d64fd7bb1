import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Handlers, isHandlers, toHandlers } from '../handlers/handlers.ts';
import { reasonOf } from '../handlers/reason-of.ts';

/** The default export of a module, which is `defineHandlers({ … })`. Throws one sentence that says what to do. */
export async function loadHandlers(path: string): Promise<Handlers> {
  const url = pathToFileURL(resolve(path));
  if (!existsSync(url)) {
    throw new Error(`${path} does not exist: give the path of a module with handlers, such as ./handlers.ts.`);
  }
  const { default: handlers } = await importModule(path, url);
  if (isHandlers(handlers)) return handlers;
  throw new Error(`${path} has no handlers: end it with "export default defineHandlers({ … })".`);
}

async function importModule(path: string, url: URL): Promise<{ default?: unknown }> {
  try {
    return (await import(url.href)) as { default?: unknown };
  } catch (cause) {
    const [reason] = reasonOf(cause).split('\n');
    throw new Error(`${path}${lineOf(cause)} cannot be loaded, correct it and start again: ${reason}`, { cause });
  }
}

/** Of some errors in the syntax, only the stack says where they are. */
function lineOf(error: unknown): string {
  const [, line] = (error instanceof SyntaxError && /^\S+:(\d+)\n/.exec(error.stack ?? '')) || [];
  return line === undefined ? '' : `, line ${line},`;
}

/** Handlers, and what a person knows them by. */
export interface HandlerSource {
  from: string;
  handlers: Handlers;
}

/** All of them in one. A kind that two of them handle is an error. */
export function mergeHandlers(sources: readonly HandlerSource[]): Handlers {
  const origins = new Map<string, string>();
  for (const { from, handlers } of sources) {
    for (const { kind } of handlers.kinds) {
      const other = origins.get(kind);
      if (other !== undefined) {
        throw new Error(`The kind '${kind}' has a handler in ${other} and in ${from}: keep one of them.`);
      }
      origins.set(kind, from);
    }
  }
  return toHandlers(sources.flatMap(({ handlers }) => handlers.kinds));
}
