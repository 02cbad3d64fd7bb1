import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const { engines, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  engines: { node: string };
  scripts: Record<string, string>;
};

const startWith = (version: string) => {
  const asIf = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require('./process/check-node.cjs')`;
  return spawnSync(process.execPath, ['--eval', `${asIf}; console.log('goes on')`], { encoding: 'utf8' });
};

test('a Node that is too old is said in a sentence, not as ERR_UNKNOWN_FILE_EXTENSION', () => {
  const needed = Number(engines.node.replace('>=', ''));
  for (const version of ['18.20.8', '20.20.2', `${needed - 1}.99.0`]) {
    const { status, stderr } = startWith(version);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`^This is Node .*, but at least Node ${needed} is needed\\. npm ci installs one .*\\n$`),
    );
  }
  for (const version of [`${needed}.0.0`, '100.0.0']) expect(startWith(version).stdout).toBe('goes on\n');
});

test('every script that runs our TypeScript checks that first, and becomes Node rather than starting it', () => {
  const ours = Object.entries(scripts).filter(([, script]) => script.includes('.ts'));
  expect(ours.length).toBeGreaterThan(6);
  for (const [name, script] of ours) {
    expect({ name, script }).toEqual({
      name,
      script: expect.stringMatching(/^exec node --require \.\/process\/check-node\.cjs /),
    });
  }
});
