import * as driver from './connection.ts';
import { hostUrls } from './database-url.ts';
import { followWriter } from './writer.ts';

/** Where connections are made: the one host of a URL, or of several the one that takes writes. */
export interface Server {
  /** A connection with our session settings, or an error. */
  open: (statementTimeoutMs: number) => Promise<driver.Connection>;
  /** Whether a connection can serve no more: it has ended, or its host is in doubt or takes no writes any more. */
  hasEnded: (connection: driver.Connection) => boolean;
  /** What keeps one from being made, where that is known. */
  whyNotMade: () => Error | undefined;
  /** Something failed on one of its connections. */
  doubt: () => void;
  /** Ends what is left of its connections. */
  end: () => void;
}

export interface ServerOptions {
  /** `mysql://user:password@h1:3306,h2:3306/messages` */
  url: string;
  connectTimeoutMs: number;
}

export function createServer({ url, connectTimeoutMs }: ServerOptions): Server {
  const urls = hostUrls(url);
  if (urls.length > 1) return followWriter({ urls, connectTimeoutMs });
  return {
    open: (statementTimeoutMs) => driver.openConnection({ url, connectTimeoutMs, statementTimeoutMs }),
    hasEnded: driver.hasEnded,
    whyNotMade: () => undefined,
    doubt: () => {},
    end: () => {},
  };
}
