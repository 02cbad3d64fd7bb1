import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { connectDatabase } from '../../database/connect.ts';
import { createEvents } from '../../database/events/create.ts';
import { findEvent } from '../../database/events/read.ts';
import { hasGroups } from '../../tests/group.ts';
import { startNpm } from '../../tests/npm-process.ts';
import { freePort } from '../free-port.ts';
import { groupUrl } from './group-url.ts';
import { membersOf } from './member.ts';
import { runCommand } from './run-command.ts';

describe.skipIf(!(await hasGroups()))('npm run cluster', { timeout: 240_000 }, () => {
  test('survives the loss of its primary, and starts again with what the others have had since', async () => {
    const data = await mkdtemp(join(tmpdir(), 'event-queue-cluster-'));
    onTestFinished(() => rm(data, { recursive: true, force: true, maxRetries: 5 }));
    const { base, ports } = await freePorts();
    const members = membersOf({ directory: join(data, 'cluster'), ports });
    await Promise.all(members.map(({ directory }) => copyServer(directory)));
    const start = () =>
      startNpm(['run', 'cluster'], {
        env: { DATA_DIRECTORY: data, MYSQL_PORT: String(base) },
        ready: 'ready. In other terminals',
      });
    const status = () => runCommand(members, { name: 'status' });
    const db = connectDatabase({ url: groupUrl(ports, 'producer'), retryMs: 30_000 });
    onTestFinished(() => db.destroy());

    const cluster = await start();
    expect(await createEvents(db, [{}])).toBe(1);
    await runCommand(members, { name: 'switch', member: 2 });
    await expect
      .poll(status, { timeout: 60_000 })
      .toEqual([
        `member 1, port ${ports[0]}: ONLINE`,
        `member 2, port ${ports[1]}: ONLINE, primary`,
        `member 3, port ${ports[2]}: ONLINE`,
      ]);
    await runCommand(members, { name: 'kill', member: 2 });
    expect(await createEvents(db, [{}])).toBe(2);
    expect(await status()).toContain(`member 2, port ${ports[1]}: does not answer`);
    await expect(runCommand(members, { name: 'kill', member: 2 })).rejects.toThrow('member 2 does not run');
    await expect(runCommand(members, { name: 'switch', member: 2 })).rejects.toThrow('member 2 is not ONLINE');
    expect(await cluster.interrupt()).toMatch(/ stopped$/);

    // Member 2 lacks the second event.
    const again = await start();
    expect(await findEvent(db, 2)).toMatchObject({ status: 'pending' });
    await expect.poll(status, { timeout: 60_000 }).toContain(`member 2, port ${ports[1]}: ONLINE`);
    await again.interrupt();
  });
});

/** Three that follow one another, and the one before them. */
async function freePorts(): Promise<{ base: number; ports: number[] }> {
  for (;;) {
    const [base, ...ports] = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
    if (ports[2] === base + 3) return { base, ports };
  }
}

/** One that has never run, and does not know yet which server it is. */
async function copyServer(directory: string): Promise<void> {
  await cp(inject('freshServer'), directory, { recursive: true });
  await rm(join(directory, 'data', 'auto.cnf'), { force: true });
}
