import type { Example } from '../example.ts';
import { readShownConfig, shownSettings } from './config.ts';

const SYSTEMS = ['1', '2'];

export const example: Example = {
  about: 'Orders of two databases queued by an outbox, with retries, the dead and a log',
  settings: shownSettings,
  ports: SYSTEMS.map((system) => `system-${system}`),
  hasFront: false,
  parts: ({ node, port, consumer }) => {
    const api = (system: string) => {
      const name = `system-${system}`;
      return node(name, 'examples/orders/main.ts', 'producer', {
        env: { SYSTEM: system, PORT: String(port(name)) },
        readyUrl: `http://127.0.0.1:${port(name)}/dead`,
      });
    };
    const env = { LOG_TTL_MS: String(readShownConfig().LOG_TTL_MS) };
    const worker = (name: string) => consumer(name, 'examples/orders/handlers.ts', env);
    return [[worker('consumer-1'), worker('consumer-2'), ...SYSTEMS.map(api)]];
  },
  tries: ({ port }) => {
    const [one, two] = SYSTEMS.map((system) => `http://localhost:${port(`system-${system}`)}`);
    const insert = `-H 'Content-Type: application/json' -d '{"positive_inserts":3,"negative_inserts":1}'`;
    return [
      `curl ${one}/v0/insert-data ${insert}   # system 2: ${two}`,
      `curl -X POST ${one}/v0/process/run`,
      `curl ${one}/dead   # some 40 s later, with a message_id`,
      `curl ${one}/log/MESSAGE_ID`,
      `${one}/docs and ${two}/docs in a browser`,
    ];
  },
};
