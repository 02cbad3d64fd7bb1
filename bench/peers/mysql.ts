import { sql } from 'kysely';
import { connectDatabase } from '../../database/connect.ts';
import { freePort } from '../../start/free-port.ts';
import { startLocalServer } from '../../start/mysql/local-server.ts';
import { findProgram } from '../../start/programs.ts';
import { MissingProgramError, type Server } from './server.ts';

/** The private server that `npm start` runs: the first mysqld or mariadbd of the machine. */
export async function startMysql(directory: string): Promise<Server> {
  if (!findProgram('mysqld', 'mariadbd')) {
    throw new MissingProgramError('MySQL is not installed: put mysqld (8.4 or newer) on the PATH.');
  }
  const server = await startLocalServer({ directory, port: await freePort() });
  const admin = connectDatabase({ url: server.url('mysql'), poolSize: 1, statementTimeoutMs: 60_000 });
  const { rows } = await sql<{ version: string }>`SELECT VERSION() AS version`.execute(admin);
  const version = rows[0]!.version;
  let made = 0;
  return {
    kind: 'mysql',
    name: version.includes('MariaDB') ? 'MariaDB' : 'MySQL',
    version: version.split('-')[0]!,
    settings: 'sync_binlog=1 innodb_flush_log_at_trx_commit=1 innodb_buffer_pool_size=256M',
    freshUrl: async () => {
      if (made > 0) await sql.raw(`DROP DATABASE jobs_${made}`).execute(admin);
      made += 1;
      await sql.raw(`CREATE DATABASE jobs_${made} CHARACTER SET utf8mb4`).execute(admin);
      return server.url(`jobs_${made}`);
    },
    stop: async () => {
      await admin.destroy();
      await server.stop();
    },
  };
}
