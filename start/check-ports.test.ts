import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { checkPorts } from './check-ports.ts';
import { freePort } from './free-port.ts';

test('every port in use is named with its variable, in one sentence', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const ports = [
    { port, portVariable: 'NGINX_PORT' },
    { port: await freePort(), portVariable: 'MYSQL_PORT' },
    { port, portVariable: 'PRODUCER_PORTS' },
  ];
  await expect(checkPorts(ports)).rejects.toThrow(
    `port ${port} is in use; choose another with NGINX_PORT, port ${port} is in use; choose another with PRODUCER_PORTS. Is it running already, or still stopping?`,
  );
  await checkPorts([ports[1]!]);
});

const FIRST_FREE_FOR_ALL = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
const firstPort = () => {
  try {
    return Number(readFileSync(FIRST_FREE_FOR_ALL, 'utf8'));
  } catch {
    return 0; // every port is for everybody, or this is not Linux
  }
};

test.runIf(process.getuid?.() === 0 && firstPort() > 80)(
  'a port that this user may not have is not called in use',
  () => {
    const script = `import { checkPorts } from ${JSON.stringify(new URL('check-ports.ts', import.meta.url).href)};
    process.setuid(65534);
    await checkPorts([{ port: 80, portVariable: 'NGINX_PORT' }]).catch((error) => console.log(error.message));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    expect(stdout).toBe('this user may not listen on port 80 (EACCES); choose one from 1024 on with NGINX_PORT\n');
  },
);
