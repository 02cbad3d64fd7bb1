import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { producerSettings } from '../producer/config.ts';
import { localServerSettings } from '../start/mysql/config.ts';
import { wordServiceSettings } from '../word-service/config.ts';
import { metaOf } from './setting-kinds.ts';

const parts: [main: string, settings: z.ZodRawShape][] = [
  ['producer/main.ts', producerSettings],
  ['word-service/main.ts', wordServiceSettings],
  ['start/mysql/main.ts', localServerSettings],
];

const run = (main: string, ...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

test.each(parts)('%s --help lists every setting, and starts nothing', (main, settings) => {
  const { status, stdout } = run(main, '--help');
  expect(status).toBe(0);
  for (const [name, setting] of Object.entries(settings)) {
    const { why, accepts, default: preset, secret } = metaOf(setting as z.ZodType);
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(stdout).toContain(why);
    expect(stdout).toContain(preset ? `${accepts}; default ${preset}` : accepts);
    expect(stdout.includes(`${name}_FILE`)).toBe(secret ?? false);
  }
});

test.each(parts)('%s refuses an option instead of passing over it', (main) => {
  const { status, stdout, stderr } = run(main, '--port', '4000');
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(
    /^[\w-]+: unknown option --port 4000; the settings are environment variables, which --help lists\n$/,
  );
});
