import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

// Debian keeps servers in sbin, which is on root's PATH only; Homebrew keeps them in a prefix of its own.
const EXTRA_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/usr/local/mysql/bin'];

/** The full path of the first of these programs that this machine has. */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...EXTRA_FOLDERS];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What brings each program. MariaDB’s `-core` packages bring no service that starts by itself. */
const PROGRAMS = {
  mariadbd: {
    what: 'MySQL 8.4+ or MariaDB 10.6+ (or set DATABASE_URL to a running server)',
    debian: ['mariadb-server-core', 'mariadb-client-core'],
    homebrew: 'mysql',
  },
  nginx: { what: 'nginx', debian: ['nginx'], homebrew: 'nginx' },
  chromium: { what: 'chromium', debian: ['chromium'], homebrew: 'chromium' },
  wrk: { what: 'wrk', debian: ['wrk'], homebrew: 'wrk' },
};

type Program = keyof typeof PROGRAMS;

/** What to install to have a server, unless a program is given or there is one. */
export function missingServer(given: string): 'mariadbd'[] {
  return given || findProgram('mysqld', 'mariadbd') ? [] : ['mariadbd'];
}

/** What to install to have nginx. */
export function missingNginx(): 'nginx'[] {
  return findProgram('nginx') ? [] : ['nginx'];
}

/**
 * Installs what is missing with apt-get, where that can be done without asking anyone: on Debian or Ubuntu, as root.
 * Elsewhere it throws, naming the ways out.
 */
export async function installPrograms(missing: Program[], say: (line: string) => void): Promise<void> {
  if (missing.length === 0) return;
  const packages = missing.flatMap((program) => PROGRAMS[program].debian);
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(waysOut(missing));
  say(`installing ${packages.join(', ')} with apt-get, once on this machine …`);
  // RUNLEVEL=1 keeps Debian's nginx from being started as a service on port 80.
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  if ((await aptGet(install)) !== 0) {
    await aptGet(['update', '-q']);
    const status = await aptGet(install);
    if (status !== 0) throw new Error(`apt-get ${install.join(' ')} failed with status ${status}`);
  }
}

/** What to do about these programs where we may not install them. */
export function waysOut(missing: Program[]): string {
  const programs = missing.map((program) => PROGRAMS[program]);
  const debian = programs.flatMap((program) => program.debian).join(' ');
  const homebrew = programs.map((program) => program.homebrew).join(' ');
  return (
    `not found: ${programs.map(({ what }) => what).join(', ')}. Debian: sudo apt-get install ${debian}; ` +
    `macOS: brew install ${homebrew}; or use docker compose up --build.`
  );
}

function aptGet(args: string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    spawn('env', ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', ...args], { stdio: 'ignore' })
      .once('error', reject)
      .once('exit', resolve);
  });
}
