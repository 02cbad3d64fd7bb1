import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../free-port.ts';
import { findProgram } from '../programs.ts';
import { makeFolder, prepareDataFolder } from './data-folder.ts';
import { startLocalServer } from './local-server.ts';
import { findServerProgram, type ServerProgram } from './server-program.ts';

const ours = await findServerProgram();

async function emptyFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'event-queue-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'dados, à parte');
}

/** As a server leaves it, with a note of what it was. */
async function folderMadeBy(note: string, ...files: string[]): Promise<string> {
  const directory = await emptyFolder();
  await mkdir(join(directory, 'data'), { recursive: true });
  for (const file of ['ibdata1', ...files]) await writeFile(join(directory, 'data', file), '');
  if (note) await writeFile(join(directory, 'made-by.txt'), `${note}\n`);
  return directory;
}

const server = (product: ServerProgram['product'], version: string) => ({ path: '/usr/sbin/mysqld', product, version });
const prepare = (directory: string, program: ServerProgram) => prepareDataFolder(directory, program, () => {});

describe('data of another server is refused with what made it and what to do:', () => {
  test.each<[string, string, string[], ServerProgram, RegExp]>([
    [
      'another product',
      'MariaDB 10.11.19',
      [],
      server('MySQL', '9.7.4'),
      /made by MariaDB 10\.11\.19, but .* is MySQL 9\.7\.4/,
    ],
    [
      'another product the other way',
      'MySQL 9.7.4',
      [],
      server('MariaDB', '11.8.2'),
      /made by MySQL 9\.7\.4, but .* is MariaDB/,
    ],
    ['MySQL without a note', '', ['mysql.ibd'], server('MariaDB', '11.8.2'), /was made by MySQL, but/],
    ['MariaDB without a note', '', ['aria_log_control'], server('MySQL', '9.7.4'), /was made by MariaDB, but/],
    [
      'a newer version',
      'MySQL 9.7.4',
      [],
      server('MySQL', '8.4.9'),
      /used by the newer MySQL 9\.7\.4, but .* is MySQL 8\.4\.9/,
    ],
    ['a newer minor version', 'MariaDB 11.8.2', [], server('MariaDB', '11.4.8'), /used by the newer MariaDB 11\.8\.2/],
  ])('%s', async (_, note, files, program, message) => {
    const preparing = prepare(await folderMadeBy(note, ...files), program);
    await expect(preparing).rejects.toThrow(message);
    await expect(preparing).rejects.toThrow(
      /set MYSQL_PROGRAM to that server, use another folder \(DATA_DIRECTORY\), or move this one away$/,
    );
  });

  test.each<[string, string, ServerProgram]>([
    ['the same version', 'MySQL 9.7.4', server('MySQL', '9.7.4')],
    ['another patch', 'MySQL 9.7.4', server('MySQL', '9.7.1')],
    ['an older version, which the server upgrades', 'MySQL 8.4.9', server('MySQL', '9.7.4')],
    ['10 after 9', 'MariaDB 9.9.9', server('MariaDB', '10.6.0')],
  ])('but not %s', async (_, note, program) => {
    const directory = await folderMadeBy(note);
    expect(await prepare(directory, program)).toBe(join(directory, 'data'));
  });

  test('by a real server at once, and the data is left as it was', async () => {
    const directory = await emptyFolder();
    const first = await startLocalServer({ directory, port: await freePort() });
    await first.stop();
    expect(await readFile(join(directory, 'made-by.txt'), 'utf8')).toBe(`${ours.product} ${ours.version}\n`);
    const path = findProgram(ours.product === 'MySQL' ? 'mariadbd' : 'mysqld');
    const other = path ? await findServerProgram(path) : ours;
    // Where the machine has only one of them, it meets what looks like the data of the other.
    if (other.product === ours.product) await writeFile(join(directory, 'made-by.txt'), 'MySQL 9.7.4\n');
    const startedAt = performance.now();
    const starting = startLocalServer({ directory, port: await freePort(), program: other.path });
    await expect(starting).rejects.toThrow(/was made by .*, but .* is (MySQL|MariaDB) [\d.]+:/);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await writeFile(join(directory, 'made-by.txt'), `${ours.product} 1.0.0\n`);
    const again = await startLocalServer({ directory, port: await freePort() });
    await again.stop();
    expect(await readFile(join(directory, 'made-by.txt'), 'utf8')).toBe(`${ours.product} ${ours.version}\n`);
  });
});

describe('data in use is said at once', () => {
  test('by a server on another port, which goes on', async () => {
    const directory = await emptyFolder();
    const first = await startLocalServer({ directory, port: await freePort() });
    const startedAt = performance.now();
    const second = startLocalServer({ directory, port: await freePort() });
    await expect(second).rejects.toThrow(
      /à parte is in use by another server\. Is it running already, or still stopping\?$/,
    );
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect(process.kill(first.pid, 0)).toBe(true);
    expect((await readdir(directory)).toSorted()).toEqual([
      'data',
      'files',
      'made-by.txt',
      'server.log',
      'server.pid',
      'tmp',
    ]);
    await first.stop();
  });

  test.each(['new', 'old'])('by the faster of two that start at once, on one port and with %s data', async (age) => {
    const directory = await emptyFolder();
    const port = await freePort();
    const start = () => startLocalServer({ directory, port });
    if (age === 'old') await (await start()).stop();
    const outcomes = await Promise.allSettled([start(), start()]);
    const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect({ started: started.length, refused }).toEqual({
      started: 1,
      refused: [expect.stringMatching(/is in use by (another server|a running server)/)],
    });
    expect((await readdir(directory)).filter((name) => /^(data\.|starting)/.test(name))).toEqual([]);
    await started[0]!.stop();
  });
});

describe('a folder that cannot be used is said in a sentence:', () => {
  test('one with nothing in it', async () => {
    const directory = await emptyFolder();
    await mkdir(join(directory, 'data'), { recursive: true });
    await expect(prepare(directory, ours)).rejects.toThrow(/data is not the data of a server: use another folder/);
  });

  test('a file', async () => {
    const path = await emptyFolder();
    await writeFile(path, '');
    await expect(makeFolder(path)).rejects.toThrow(
      `${path} cannot be made (EEXIST); choose another folder with DATA_DIRECTORY`,
    );
    await expect(makeFolder(join(path, 'mysql'))).rejects.toThrow(/cannot be made \(ENOTDIR\)/);
  });

  test.runIf(process.getuid?.() === 0)('that of another user', async () => {
    const directory = await folderMadeBy(`${ours.product} ${ours.version}`);
    for (const folder of [join(directory, '..'), directory]) await chmod(folder, 0o755);
    await chmod(join(directory, 'data'), 0o700);
    const module = JSON.stringify(new URL('data-folder.ts', import.meta.url).href);
    const script = `import { makeFolder, prepareDataFolder } from ${module};
      process.setuid(65534);
      const [directory, program] = JSON.parse(process.argv[1]);
      const say = (error) => console.log(error.message);
      await prepareDataFolder(directory, program, () => {}).catch(say);
      await makeFolder(directory + '/files').catch(say);`;
    const given = JSON.stringify([directory, ours]);
    const run = () =>
      spawnSync(process.execPath, ['--input-type=module', '--eval', script, given], { encoding: 'utf8' }).stdout;
    expect(run()).toMatch(/files cannot be made \(EACCES\); .*DATA_DIRECTORY\n.*files cannot be made/);
    for (const folder of ['files', 'tmp']) await mkdir(join(directory, folder));
    expect(run()).toMatch(/data is not writable for this user \(EACCES\): use another folder \(DATA_DIRECTORY\)/);
  });
});

test('what an interrupted first start has left is removed, and what another start still makes is not', async () => {
  const directory = await emptyFolder();
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const left = ['data.new', `data.new-${gone}-abc123`, `data.new-${process.pid}-abc123`];
  for (const name of left) await mkdir(join(directory, name), { recursive: true });
  await prepare(directory, ours);
  expect((await readdir(directory)).filter((name) => name.startsWith('data'))).toEqual(['data', left[2]]);
});

test.each([
  ['/nowhere/mysqld', /^\/nowhere\/mysqld does not run: expected a mysqld or mariadbd \(.*ENOENT\)$/],
  [findProgram('true')!, /true is no database server: expected a mysqld or mariadbd$/],
  [findProgram('false')!, /false does not run: expected a mysqld or mariadbd/],
  [tmpdir(), /does not run: expected a mysqld or mariadbd \(.*EACCES\)$/],
])('%s is not taken for a server', async (path, message) => {
  await expect(findServerProgram(path)).rejects.toThrow(message);
});
