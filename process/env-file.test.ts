import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { allSettings } from '../tests/settings.ts';
import { readEnvFile } from './env-file.ts';
import { SETTING_NAMES } from './setting-names.ts';

const HASH = 'a'.repeat(64);

function fileWith(content: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), 'event-queue-env-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, '.env'), content);
  return join(directory, '.env');
}

const utf16 = (text: string, bigEndian = false) => {
  const bytes = Buffer.from(`\uFEFF${text}`, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};
const TEXT = `API_TOKENS=${HASH}\nPORT=4000\n`;

describe('every line of .env counts', () => {
  test.each<[string, string | Buffer]>([
    ['as it is', TEXT],
    ['with a byte order mark', `\uFEFF${TEXT}`],
    ['in UTF-16, as PowerShell writes it', utf16(TEXT)],
    ['in UTF-16, big-endian', utf16(TEXT, true)],
    ['with CRLF', TEXT.replaceAll('\n', '\r\n')],
    ['with CR alone', TEXT.replaceAll('\n', '\r')],
    ['without a line break at the end', TEXT.trim()],
    [
      'with comments, spaces, quotes and export',
      `# ours\n\nexport API_TOKENS = "${HASH}" # hash\n  PORT='4000'\n\t# end`,
    ],
  ])('%s', (_, content) => {
    expect(readEnvFile(fileWith(content))).toEqual({ API_TOKENS: HASH, PORT: '4000' });
  });

  test('a value in quotes over several lines', () => {
    const values = readEnvFile(fileWith(`API_TOKENS="${HASH},\n# no comment\n${HASH}"\nPORT=\n`));
    expect(values).toEqual({ API_TOKENS: `${HASH},\n# no comment\n${HASH}`, PORT: '' });
  });
});

describe('a line that would be passed over is named by its number, and not repeated:', () => {
  test.each([
    ['no assignment', 'geheim'],
    ['a colon', 'API_TOKENS: geheim'],
    ['a word before the name', 'set API_TOKENS=geheim'],
    ['a space that is not one', '\u00A0API_TOKENS=geheim'],
    ['a quote that is not closed', 'API_TOKENS="geheim'],
    ['something after the quotes', 'API_TOKENS="ge"heim'],
    ['no name', '=geheim'],
  ])('%s', (_, line) => {
    const read = () => readEnvFile(fileWith(`PORT=1\n\n${line}\nHOST=::1\n`));
    expect(read).toThrow(/\.env can't be used:\n {2}line 3: expected NAME=value/);
    expect(read).not.toThrow(/geheim/);
  });

  test('a second value for the same name', () => {
    const read = () => readEnvFile(fileWith('PORT=1\nHOST=::1\nPORT=2\n'));
    expect(read).toThrow(/\n {2}line 3: PORT has a value already, in line 1$/);
  });
});

describe('a .env that cannot be read is said,', () => {
  const problem = (path: string) => () => readEnvFile(path);

  test('when it is a folder', () => {
    const path = `${fileWith('')}.d`;
    mkdirSync(path);
    expect(problem(path)).toThrow(/\.env\.d: expected a file that can be read \(EISDIR\)$/);
  });

  test('when it is a link to nowhere', () => {
    const path = `${fileWith('')}.link`;
    symlinkSync('nowhere', path);
    expect(problem(path)).toThrow(/\(ENOENT\)$/);
  });

  test('when it is not text', () => {
    expect(problem(fileWith(Buffer.from('API_TOKENS=\xE9', 'latin1')))).toThrow(/\(not UTF-8\)$/);
    expect(problem(fileWith(utf16(TEXT).subarray(2)))).toThrow(/\(not UTF-8\)$/);
  });

  test.runIf(process.getuid?.() === 0)('when it belongs to somebody else', () => {
    const script = `import { readEnvFile } from ${JSON.stringify(new URL('env-file.ts', import.meta.url).href)};
      process.setuid(65534);
      try { readEnvFile(process.argv[1]); } catch (error) { console.log(error.message); }`;
    const path = fileWith(TEXT);
    const args = ['--input-type=module', '--eval', script, path];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout.trim()).toBe(`${path}: expected a file that can be read (EACCES)`);
  });

  test('but not when there is none', () => {
    expect(readEnvFile(`${fileWith('')}.none`)).toEqual({});
  });
});

describe('a process that reads .env', () => {
  const script = `import { readEnvironment } from ${JSON.stringify(new URL('settings.ts', import.meta.url).href)};
    const { API_TOKENS, PORT } = readEnvironment();
    console.log(JSON.stringify({ API_TOKENS, PORT }));`;
  const run = (content: string | Buffer, env: Record<string, string> = {}) => {
    const options = { cwd: join(fileWith(content), '..'), env, encoding: 'utf8' } as const;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], options);
    return { ...(JSON.parse(stdout || '{}') as object), stderr };
  };

  test('takes its first line, whatever an editor puts before it', () => {
    expect(run(`\uFEFF${TEXT}`)).toEqual({ API_TOKENS: HASH, PORT: '4000', stderr: '' });
  });

  test('prefers what the environment says, an empty value too', () => {
    expect(run(TEXT, { PORT: '5000', API_TOKENS: '' })).toEqual({ API_TOKENS: '', PORT: '5000', stderr: '' });
  });

  test('names what is no setting, unless a process before it has done so', () => {
    const text = `API_TOKEN=geheim\nDATABASE_URL_FILE=/run/url\n${TEXT}`;
    const { stderr } = run(text);
    expect(stderr).toBe('.env: unknown settings, ignored: API_TOKEN\n');
    expect(run(text, { API_TOKEN: 'geheim' }).stderr).toBe('');
  });
});

test('the names that a .env may have are those of all processes', () => {
  expect(SETTING_NAMES.toSorted()).toEqual(Object.keys(allSettings).toSorted());
});
