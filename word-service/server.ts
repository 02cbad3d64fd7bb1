import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Behaviour, behaviourSchema } from './behaviour.ts';
import { randomWords } from './words.ts';

const MOST_WORDS = 10_000;
const MOST_BYTES = 4_096;

/**
 * `GET /api?language=pt-br&words=N` with the contract of the public service, `[{"word":"…"}, …]`, N from 1 (the default)
 * to 10,000. `GET /behaviour` shows how it behaves and PUT changes it. `GET /livez` answers when it runs.
 */
export function createWordService(initial: Behaviour): Server {
  let behaviour = initial;

  return createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      sendJson(response, 400, JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://word-service');
    const { method } = request;
    if (pathname === '/api' && method === 'GET') return sendWords(response, searchParams);
    if (pathname === '/behaviour' && method === 'PUT')
      behaviour = behaviourSchema.parse(JSON.parse(await readBody(request)));
    if (pathname === '/behaviour') return sendJson(response, 200, JSON.stringify(behaviour));
    if (pathname === '/livez') return sendJson(response, 200, '{"status":"live"}');
    return sendJson(response, 404, '{"error":"not found"}');
  }

  async function sendWords(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const { latencyMs, jitterMs, faultRate, fault } = behaviour;
    const language = query.get('language') ?? 'pt-br';
    const words = query.get('words') ?? '1';
    if (language !== 'pt-br') return sendJson(response, 400, '{"error":"language is pt-br"}');
    if (!/^[1-9][0-9]{0,4}$/.test(words) || Number(words) > MOST_WORDS) {
      return sendJson(response, 400, `{"error":"words is a number from 1 to ${MOST_WORDS}"}`);
    }
    if (latencyMs + jitterMs > 0) await sleep(latencyMs + Math.random() * jitterMs, undefined, { ref: false });
    if (faultRate > 0 && Math.random() < faultRate) return sendFault(response, fault, Number(words));
    return sendJson(response, 200, randomWords(Number(words)));
  }
}

function sendFault(response: ServerResponse, fault: Behaviour['fault'], words: number): void {
  switch (fault) {
    case 'error':
      return sendJson(response, 500, '{"error":"asked for"}');
    case 'busy':
      return sendJson(response.setHeader('Retry-After', '1'), 429, '{"error":"asked for"}');
    case 'missing':
      return sendJson(response, 404, '{"error":"asked for"}');
    case 'redirect':
      return sendJson(response.setHeader('Location', '/api'), 302, '{}');
    case 'close':
      return void response.destroy();
    case 'reset':
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1_000 });
      return void response.write('[{"word":', () => response.destroy());
    case 'silence':
      return;
    case 'html':
      return void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><p>Olá</p>');
    case 'empty':
      return sendJson(response, 200, '[]');
    case 'fewer':
      return sendJson(response, 200, randomWords(Math.max(1, Math.floor(words / 2))));
    case 'not-words':
      return sendJson(
        response,
        200,
        randomWords(words).replaceAll(/("word":"[^"]*"\},)(\{"word":)"[^"]*"/g, '$1$2" 1\\u0000"'),
      );
  }
}

function sendJson(response: ServerResponse, status: number, json: string): void {
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=UTF-8',
    'Content-Length': Buffer.byteLength(json),
  });
  response.end(json);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk as string;
    if (body.length > MOST_BYTES) throw new Error(`a body has at most ${MOST_BYTES} bytes`);
  }
  return body;
}
