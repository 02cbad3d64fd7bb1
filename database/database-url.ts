/**
 * What a database URL must have that this one has not. mysql2 takes each option of its query for one of its own, and
 * throws only when it connects: that would be "database lost" for ever.
 */
export function lacksOfDatabaseUrl(url: URL): string | undefined {
  const { hostname, port, username, password, pathname, searchParams, hash } = url;
  if (![hostname, username, password, pathname].every(canDecode)) return 'each % of a password written as %25';
  if (hash !== '') return 'each # of a password written as %23';
  if (hostname === '' || hostname.startsWith('[')) return 'the name of a host, or its IPv4 address';
  if (port === '0') return 'a port, 1 to 65535';
  if (!/^\/[^/@]+$/.test(pathname)) return 'the name of a database at its end, and each / of a password written as %2F';
  const others = [...searchParams.keys()].filter((name) => !['ssl', 'socketPath'].includes(name));
  if (others.length > 0) return `no option but ssl and socketPath, not ${others.join(', ')}`;
  const ssl = searchParams.get('ssl');
  return ssl === null || isObject(ssl)
    ? undefined
    : 'ssl={}, or between the braces options of Node’s tls.connect in JSON';
}

function canDecode(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

function isObject(json: string): boolean {
  try {
    return Object.getPrototypeOf(JSON.parse(json)) === Object.prototype;
  } catch {
    return false;
  }
}
