import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** nginx.conf and the site nginx/scale in a folder of their own, as a user copies them. The caller removes it. */
export function copyScaleSite(): string {
  const directory = mkdtempSync(join(tmpdir(), 'event-queue-scale-'));
  cpSync('nginx/nginx.conf', join(directory, 'nginx.conf'));
  cpSync('nginx/scale', join(directory, 'site'), { recursive: true });
  return directory;
}

/** Writes where it listens, and the ports of each queue's producers. */
export function writeScaleAddresses(directory: string, port: number, producerPorts: readonly number[][]): void {
  const listen = join(directory, 'site/listen.conf');
  writeFileSync(listen, readFileSync(listen, 'utf8').replace('listen 8080', `listen 127.0.0.1:${port}`));
  for (const [n, ports] of producerPorts.entries()) {
    const servers = ports.map((producerPort) => `server 127.0.0.1:${producerPort} max_fails=0;\n`);
    writeFileSync(join(directory, `site/queue-${n}.conf`), servers.join(''));
  }
}
