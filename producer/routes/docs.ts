import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Hono } from 'hono';
import { html } from 'hono/html';
import { answerJson } from '../http/answer.ts';
import type { RequestVariables } from '../http/request-log.ts';
import { createDocument } from '../openapi/document.ts';

// Resolved, not imported: the package's main file would load the whole bundle into the producer.
const SWAGGER_UI = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/swagger-ui.css')));
const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** /openapi.json, generated from the routes, and /docs, which shows it and loads nothing from elsewhere. */
export function addDocs(app: Hono<RequestVariables>, asked: { token: boolean; operator: boolean }): void {
  let document: ReturnType<typeof createDocument> | undefined;
  app.get('/openapi.json', async (c) => answerJson(c, 200, await (document ??= createDocument(app, asked))));

  app.use('/docs/*', async (c, next) => {
    c.header('X-Request-Id', c.get('requestId'));
    await next();
  });
  for (const asset of ASSETS) {
    app.get(`/docs/${asset}`, serveStatic({ root: SWAGGER_UI, rewriteRequestPath: () => `/${asset}` }));
  }
  app.get('/docs', (c) => {
    c.header('Content-Security-Policy', POLICY);
    return c.html(PAGE);
  });
  app.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=UTF-8' }));
}

const POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const START = "window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true });";

const PAGE = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Event queue on MySQL</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <link rel="icon" href="/docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="docs"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>`;
