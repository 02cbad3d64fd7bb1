// As many as a group may have members.
const MAX_HOSTS = 9;

/** A database URL for each host of one that names several: `mysql://…@h1,h2:3307/messages`. One with one host stays as it is. */
export function hostUrls(url: string): string[] {
  const [, before = '', hosts = '', after = ''] = /^(\w+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s.exec(url) ?? [];
  return hosts.includes(',') ? hosts.split(',').map((host) => `${before}${host}${after}`) : [url];
}

/** What a host of a database URL is called in messages. */
export function hostName(url: string): string {
  const parsed = URL.parse(url);
  return parsed ? `${parsed.hostname}:${parsed.port || 3306}` : 'a host';
}

/**
 * What a database URL must have that this one has not. mysql2 takes each option of its query for one of its own, and
 * throws only when it connects: that would be "database lost" for ever.
 */
export function lacksOfDatabaseUrl(url: URL, all: readonly URL[] = [url]): string | undefined {
  const { hostname, port, username, password, pathname, searchParams, hash } = url;
  if (![hostname, username, password, pathname].every(canDecode)) return 'each % of a password written as %25';
  if (hash !== '') return 'each # of a password written as %23';
  if (hostname === '' || hostname.startsWith('[')) return 'the name of a host, or its IPv4 address';
  if (port === '0') return 'a port, 1 to 65535';
  if (!/^\/[^/@]+$/.test(pathname)) return 'the name of a database at its end, and each / of a password written as %2F';
  const others = [...searchParams.keys()].filter((name) => !['ssl', 'socketPath'].includes(name));
  if (others.length > 0) return `no option but ssl and socketPath, not ${others.join(', ')}`;
  const ssl = searchParams.get('ssl');
  if (ssl !== null && !isObject(ssl)) return 'ssl={}, or between the braces options of Node’s tls.connect in JSON';
  return all.length > 1 ? lacksOfHosts(all) : undefined;
}

function lacksOfHosts(urls: readonly URL[]): string | undefined {
  if (urls.some(({ searchParams }) => searchParams.has('socketPath'))) return 'one host with socketPath, not several';
  if (urls.length > MAX_HOSTS) return `at most ${MAX_HOSTS} hosts`;
  const names = urls.map(({ href }) => hostName(href).toLowerCase());
  return new Set(names).size < names.length ? 'different hosts; one without a port has 3306' : undefined;
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
