import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { createApp, type ProducerDeps } from '../producer/app.ts';
import { closeServer, listen } from '../producer/http/server.ts';
import { findProgram } from '../start/programs.ts';

test('/docs shows every operation in a browser, and loads nothing from elsewhere', async () => {
  const deps = { isDraining: () => false, log: pino({ level: 'silent' }) } as unknown as ProducerDeps;
  const server = await listen(createApp(deps), 0, '127.0.0.1');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({
    executablePath: findProgram('chromium')!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  try {
    const page = await browser.newPage();
    const elsewhere: string[] = [];
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    page.on('response', (response) => void (response.ok() || problems.push(`${response.status()} ${response.url()}`)));
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(`${origin}/docs`);
    await page
      .locator('.opblock-summary')
      .first()
      .waitFor({ timeout: 10_000 })
      .catch(() => problems.push('no operation'));
    const operations = await page.locator('.opblock-summary').allInnerTexts();
    expect(operations.map((text) => text.split(/\s+/).slice(0, 2).join(' ')).toSorted()).toEqual([
      'GET /',
      'GET /livez',
      'GET /readyz',
      'GET /{id}',
      'POST /create-async',
      'POST /create-sync',
    ]);
    expect({ elsewhere, problems }).toEqual({ elsewhere: [], problems: [] });
  } finally {
    await browser.close();
    await closeServer(server, 1_000);
  }
});
