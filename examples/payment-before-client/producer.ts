import { randomUUID } from 'node:crypto';
import { connectDatabase, createProducer } from '../../index.ts';

/** `node producer.ts p 5` sends a payment of client 5, `node producer.ts c 5` the client. */
const [what, clientId] = [process.argv[2], Number(process.argv[3])];
const today = new Date().toISOString().slice(0, 10);
const events = {
  c: { kind: 'client', payload: { id: clientId, name: `Client ${clientId}` } },
  p: { kind: 'payment', payload: { id: randomUUID(), clientId, value: 19.9, operationDate: today } },
};
if (!(what === 'c' || what === 'p') || !Number.isSafeInteger(clientId) || clientId < 1) {
  console.error('Usage: DATABASE_URL=mysql://… node producer.ts p|c CLIENT');
  process.exit(2);
}
const db = connectDatabase({ url: process.env['DATABASE_URL']! });
const { id } = await createProducer({ db }).create([events[what]]);
console.log(`event ${id}: ${JSON.stringify(events[what])}`);
await db.destroy();
