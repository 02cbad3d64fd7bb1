import { type Account, localServerUrl } from '../mysql/local-server.ts';

/** Of all servers on these ports: whoever connects by it follows the one that takes writes. */
export function groupUrl(ports: readonly number[], account: Account): string {
  const [first, ...others] = ports.map((port) => `127.0.0.1:${port}`);
  return localServerUrl(ports[0]!, account).replace(first!, [first, ...others].join());
}
