import { randomUUID } from 'node:crypto';
import { connectDatabase, createProducer } from '../../index.ts';
import { keyOf } from './handlers.ts';

/** `npx node producer.ts p 5` sends a payment of client 5, `npx node producer.ts c 5` the client. */
const [, , what, number] = process.argv;
const clientId = Number(number);
if (!(what === 'c' || what === 'p') || !Number.isSafeInteger(clientId) || clientId < 1) {
  console.error('Usage: DATABASE_URL=mysql://… npx node producer.ts p|c CLIENT');
  process.exit(2);
}
const operationDate = new Date().toISOString().slice(0, 10);
const client = { kind: 'client', payload: { id: clientId, name: `Client ${clientId}` } };
const payment = {
  kind: 'payment',
  key: keyOf(clientId),
  payload: { id: randomUUID(), clientId, value: 19.9, operationDate },
};
const event = what === 'c' ? client : payment;
const db = connectDatabase({ url: process.env['DATABASE_URL']! });
const { id } = await createProducer({ db }).create([event]);
console.log(`event ${id}: ${JSON.stringify(event)}`);
await db.destroy();
