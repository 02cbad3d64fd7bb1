import type { Example } from '../example.ts';

export const example: Example = {
  about: 'A payment that waits until its client is registered',
  settings: {},
  ports: [],
  hasFront: false,
  parts: (stage) => [
    ['consumer-1', 'consumer-2'].map((name) => stage.consumer(name, 'examples/payment-before-client/handlers.ts')),
  ],
  tries: (stage) => {
    const send = `DATABASE_URL=${stage.databaseUrl('producer')} npx node examples/payment-before-client/producer.ts`;
    return [`${send} p 5   # a payment of client 5, who is not there yet`, `${send} c 5   # registers client 5`];
  },
};
