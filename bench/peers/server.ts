import type { ServerKind } from './peer.ts';

/** A private server, on a free port, in a folder of its own. */
export interface Server {
  kind: ServerKind;
  name: string;
  version: string;
  /** What makes its answers durable, and what else was set. */
  settings: string;
  /** An empty database; the one before is dropped, so that nothing is left over from the last measurement. */
  freshUrl: () => Promise<string>;
  stop: () => Promise<void>;
}

/** Thrown when a server program is not there; the message says what to install. */
export class MissingProgramError extends Error {
  override readonly name = 'MissingProgramError';
}
