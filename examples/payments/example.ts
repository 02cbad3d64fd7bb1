import { fileURLToPath } from 'node:url';
import type { Example } from '../example.ts';
import { shownSettings } from './config.ts';

const CONF = fileURLToPath(new URL('nginx.conf', import.meta.url));
const FOLDER = 'examples/payments';

export const example: Example = {
  about: 'Payments accepted at once, and paid exactly once through two unreliable processors',
  settings: shownSettings,
  ports: ['default', 'fallback', 'api-1', 'api-2'],
  hasFront: true,
  parts: ({ port, node, consumer, nginx }) => {
    const urlOf = (name: string) => `http://127.0.0.1:${port(name)}`;
    const processor = (name: string) => {
      const options = { env: { PORT: String(port(name)) }, readyUrl: `${urlOf(name)}/admin/payments-summary` };
      return node(name, `${FOLDER}/processor/main.ts`, 'user', options);
    };
    const api = (name: string) => {
      const options = { env: { PORT: String(port(name)) }, readyUrl: `${urlOf(name)}/payments-summary` };
      return node(name, `${FOLDER}/main.ts`, 'producer', options);
    };
    const env = { DEFAULT_PROCESSOR_URL: urlOf('default'), FALLBACK_PROCESSOR_URL: urlOf('fallback') };
    const worker = (name: string) => consumer(name, `${FOLDER}/handlers.ts`, env);
    return [
      [processor('default'), processor('fallback')],
      [worker('consumer-1'), worker('consumer-2'), api('api-1'), api('api-2')],
      [nginx(CONF, [port('api-1'), port('api-2')])],
    ];
  },
  tries: ({ port }) => {
    const front = `http://localhost:${port('front')}`;
    const json = "-H 'Content-Type: application/json' -d";
    return [
      `curl -i ${front}/payments ${json} '{"correlationId":"'$(cat /proc/sys/kernel/random/uuid)'","amount":19.90}'`,
      `curl ${front}/payments-summary`,
      `curl -X PUT http://localhost:${port('default')}/admin/configurations/failure ${json} '{"failure":true}'   # now fallback is paid: http://localhost:${port('fallback')}`,
      `curl -i -X POST ${front}/purge-payments`,
    ];
  },
};
