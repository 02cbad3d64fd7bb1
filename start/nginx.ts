import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CONF = fileURLToPath(new URL('../nginx/nginx.conf', import.meta.url));

/** Lays out a private nginx: a configuration, by default that of the queue, and beside it the site/ that says which ports. */
export function layOutNginx(directory: string, port: number, producerPorts: readonly number[], conf = CONF): string[] {
  const site = join(directory, 'site');
  mkdirSync(site, { recursive: true });
  rmSync(join(directory, 'nginx.conf'), { force: true });
  symlinkSync(conf, join(directory, 'nginx.conf')); // includes are looked up beside the link, not beside the file
  writeFileSync(join(site, 'listen.conf'), `listen 127.0.0.1:${port} backlog=4096 so_keepalive=on;\n`);
  const servers = producerPorts.map((producerPort) => `server 127.0.0.1:${producerPort} max_fails=0;\n`);
  writeFileSync(join(site, 'upstream.conf'), servers.join(''));
  return nginxArgs(directory);
}

/** Of an nginx whose nginx.conf and whose files are in this folder. */
export function nginxArgs(directory: string): string[] {
  const user = process.getuid?.() === 0 ? 'user root; ' : '';
  const globals = `daemon off; ${user}pid "${join(directory, 'nginx.pid')}";`;
  return ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr', '-g', globals];
}
