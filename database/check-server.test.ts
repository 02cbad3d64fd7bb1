import { expect, test } from 'vitest';
import { startOwnServer } from '../tests/own-server.ts';
import { checkServer, reportOn } from './check-server.ts';

/** Variables of a server that has nothing to be warned of. */
const good = { version: '9.7.4', innodb_flush_log_at_trx_commit: '1', log_bin: 'ON', sync_binlog: '1' };

test('the private server is named, isolates as we need it, and syncs its logs', async () => {
  const connect = await startOwnServer();
  expect(await checkServer(connect())).toEqual({
    summary: expect.stringMatching(/^database \d+\.\d+\S*, READ-COMMITTED$/),
    warnings: [],
  });
});

test('a server that does not sync its logs is warned of', async () => {
  const connect = await startOwnServer(['--innodb-flush-log-at-trx-commit=2']);
  const { warnings } = await checkServer(connect());
  expect(warnings).toEqual([expect.stringContaining('innodb_flush_log_at_trx_commit')]);
});

test.each([
  '8.0.11-TiDB-v8.5.1',
  '8.0.0-dmr',
  '5.7.44-log',
  '5.7.25-OceanBase_CE-v4.3.0.1',
  '10.5.27-MariaDB',
  '10.4.32-MariaDB-log',
  '',
])('a server of version "%s" is refused: it has no SKIP LOCKED that locks', (version) => {
  expect(() => reportOn({ ...good, version })).toThrow(/claimed twice.*MySQL 8\.4 or later, or MariaDB 10\.6/);
});

test.each([
  '8.0.1',
  '8.0.mysql_aurora.3.08.0',
  '8.0.35-google',
  '8.4.3',
  '9.7.4',
  '10.6.0-MariaDB',
  '10.11.14-MariaDB-0+deb12u2',
  '11.8.2-MariaDB-ubu2404',
  '12.0.2-MariaDB',
])('a server of version "%s" is accepted', (version) => {
  expect(reportOn({ ...good, version })).toMatchObject({ warnings: [] });
});

test('a Galera node is warned of, for its locks hold on no other', () => {
  expect(reportOn({ ...good, wsrep_on: 'ON' }).warnings).toEqual([
    expect.stringContaining('let every process use this one'),
  ]);
});

test('a server that takes only small statements is refused', () => {
  expect(() => reportOn({ ...good, max_allowed_packet: '1024' })).toThrow('max_allowed_packet is 1024');
});
