import { TrieRouter } from 'hono/router/trie-router';
import { expect, test } from 'vitest';
import { FixedPathRouter } from './fixed-path-router.ts';

const ROUTES = [
  ['ALL', '/*'],
  ['GET', '/'],
  ['GET', '/livez'],
  ['POST', '/create-async'],
  ['ALL', '/create-async'],
  ['GET', '/docs/:file'],
  ['GET', '/:id'],
] as const;

test('each path leads where the trie router would lead it, the first time and again', () => {
  const ours = new FixedPathRouter<string>();
  const plain = new TrieRouter<string>();
  for (const [method, path] of ROUTES) {
    ours.add(method, path, `${method} ${path}`);
    plain.add(method, path, `${method} ${path}`);
  }
  const paths = ['/', '/livez', '/create-async', '/7', '/8', '/docs/page', '/docs', '/a/b', '', '/create-async/'];
  for (const path of [...paths, ...paths]) {
    for (const method of ['GET', 'POST', 'HEAD']) {
      expect(ours.match(method, path), `${method} ${path}`).toEqual(plain.match(method, path));
    }
  }
});

test('a path with a parameter is not remembered for another value', () => {
  const router = new FixedPathRouter<string>();
  router.add('GET', '/:id', 'find');
  expect([router.match('GET', '/7'), router.match('GET', '/8')]).toEqual([
    [[['find', { id: '7' }]]],
    [[['find', { id: '8' }]]],
  ]);
});
