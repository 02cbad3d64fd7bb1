import { expect, test } from 'vitest';
import { waysOut } from './programs.ts';

test('only what is missing is to be installed', () => {
  expect(waysOut(['nginx'])).toBe(
    'not found: nginx. Debian: sudo apt-get install nginx; macOS: brew install nginx; or use docker compose up --build.',
  );
  expect(waysOut(['mariadbd'])).toBe(
    'not found: MySQL 8.4+ or MariaDB 10.6+ (or set DATABASE_URL to a running server). Debian: sudo apt-get install ' +
      'mariadb-server-core mariadb-client-core; macOS: brew install mysql; or use docker compose up --build.',
  );
  expect(waysOut(['mariadbd', 'nginx'])).toMatch(
    /running server\), nginx\. .*client-core nginx; macOS: brew install mysql nginx;/,
  );
});
