import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { inject, onTestFinished } from 'vitest';

// An error packet with no statement before it, as in the manual's “Client/Server Protocol”: ER_CLIENT_INTERACTION_TIMEOUT.
const GOODBYE = errorPacket(4031, 'HY000', 'disconnected');

function errorPacket(errno: number, sqlState: string, message: string): Buffer {
  const payload = Buffer.concat([Buffer.from([0xff, errno & 0xff, errno >> 8]), Buffer.from(`#${sqlState}${message}`)]);
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);
}

/**
 * A link to the server of the test run that can be cut, swallow everything, let nobody in, or end sessions as a server
 * does.
 */
export async function startDatabaseLink(): Promise<{
  url: (database: string) => string;
  cut: () => void;
  swallow: (on: boolean) => void;
  greetNobody: () => void;
  goodbyeWithNextAnswer: () => void;
}> {
  const target = new URL(inject('serverUrl'));
  const sockets = new Set<Socket>();
  let swallowing = false;
  let greeting = true;
  /** Those that end with their next answer. */
  const ending = new Set<Socket>();
  const link = createServer({ allowHalfOpen: true }, (client) => {
    if (!greeting) return void sockets.add(client.on('error', () => {}));
    const server = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {}).on('close', () => to.destroy());
      from.on('end', () => swallowing || to.end());
      from.on('data', (bytes: Buffer) => {
        if (swallowing) return;
        to.write(from === server && ending.delete(client) ? Buffer.concat([bytes, GOODBYE]) : bytes);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(link, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    link.close();
    cut();
  });
  const { port } = link.address() as AddressInfo;
  return {
    url: (database) => `mysql://user:password@127.0.0.1:${port}/${database}`,
    cut,
    swallow: (on) => {
      swallowing = on;
    },
    greetNobody: () => {
      greeting = false;
    },
    goodbyeWithNextAnswer: () => {
      for (const socket of sockets) ending.add(socket);
    },
  };
}
