import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';

/** What Hono on Node can do at best: create-async answered with a constant, create-sync held, and nothing else done for them. */
const app = new Hono();
app.post('/create-async', (c) => c.json({ message: 'Event created on demand', id: 7 }, 202, { Location: '/7' }));
let held = 0;
app.post('/create-sync', () => {
  held += 1;
  return new Promise<Response>(() => {});
});
app.get('/held', (c) => c.json(held));
app.get('/livez', (c) => c.json({ status: 'live' }));

const respond = getRequestListener(app.fetch);
createServer({ keepAliveTimeout: 65_000 }, (request, response) => void respond(request, response)).listen({
  port: Number(process.env['PORT']),
  host: '127.0.0.1',
  backlog: 4_096,
});
