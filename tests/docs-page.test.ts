import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Database } from '../database/connect.ts';
import { closeServer } from '../producer/http/close-server.ts';
import { listen, portOf } from '../producer/http/server.ts';
import { createProducer } from '../producer/producer.ts';
import { findProgram } from '../start/programs.ts';

test('/docs shows every operation in a browser, and loads nothing from elsewhere', async () => {
  const { app } = createProducer({ db: {} as Database }); // which is never asked
  const server = await listen(app);
  const origin = `http://127.0.0.1:${portOf(server)}`;
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
    await closeServer(server, { graceMs: 1_000 });
  }
});
