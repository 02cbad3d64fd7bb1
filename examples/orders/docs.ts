import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Hono } from 'hono';
import { html } from 'hono/html';
import { openAPIRouteHandler } from 'hono-openapi';

const SWAGGER_UI = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/swagger-ui.css')));

/** /openapi.json, made of the routes, and /docs, which shows it. */
export function addDocs(app: Hono, title: string): void {
  const documentation = { info: { title, version: '1.0.0' } };
  app.get('/openapi.json', openAPIRouteHandler(app, { documentation, defaultValidationErrorResponse: false }));
  app.get('/docs', (c) =>
    c.html(html`<!doctype html>
      <title>${title}</title>
      <link rel="stylesheet" href="/docs/swagger-ui.css" />
      <div id="docs"></div>
      <script src="/docs/swagger-ui-bundle.js"></script>
      <script>
        SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs' });
      </script>`),
  );
  app.get('/docs/*', serveStatic({ root: SWAGGER_UI, rewriteRequestPath: (path) => path.slice('/docs'.length) }));
}
