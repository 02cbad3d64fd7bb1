import { describe, expect, test } from 'vitest';
import { claimEvents } from '../database/events/claim.ts';
import { createEvents } from '../database/events/create.ts';
import { useTestDatabase } from '../tests/test-database.ts';
import { createWorker, singleHandler } from '../tests/test-worker.ts';

/** Two builds of a consumer beside each other, as during a deployment: they disagree after how many failures an event is dead. */

const { db, letTimePass } = await useTestDatabase();

const ATTEMPTS = { old: 3, new: 10 };
type Build = keyof typeof ATTEMPTS;

const row = () => db.selectFrom('Events').selectAll().executeTakeFirstOrThrow();

/** Its handler throws at what is due, once, after a look at all leases. */
async function fails(build: Build): Promise<void> {
  const handler = singleHandler(() => Promise.reject(new Error('no')), { attempts: ATTEMPTS[build] });
  await createWorker(db, [handler], { claimedBy: build }).run();
  await letTimePass();
}

/** It claims what is due and is killed; its lease is over, and nobody has looked. */
async function isKilled(build: Build): Promise<void> {
  const kinds = [{ kind: 'job', limit: 1, maxFailures: ATTEMPTS[build], alone: true as const }];
  await claimEvents(db, { claimedBy: build, leaseMs: 60_000, kinds });
  await letTimePass();
}

async function looks(build: Build): Promise<void> {
  const kinds = [{ kind: 'job', limit: 0, maxFailures: ATTEMPTS[build] }];
  await claimEvents(db, { claimedBy: build, leaseMs: 60_000, kinds });
}

const steps = { fails, 'is killed': isKilled, looks };
type Step = `${Build} ${keyof typeof steps}`;
const times = (count: number, step: Step) => Array<Step>(count).fill(step);

async function play(story: readonly Step[]): Promise<void> {
  await createEvents(db, [{ kind: 'job' }]);
  for (const step of story) {
    const [, build, what] = /^(\w+) (.*)$/.exec(step)!;
    await steps[what as keyof typeof steps](build as Build);
  }
}

describe('an event is dead', () => {
  test.each<[string, Step[], number]>([
    ['at the third failure, if the build with 3 attempts sees it', times(3, 'old fails'), 3],
    ['at the tenth, if the build with 10 sees all from the third on', ['old fails', ...times(9, 'new fails')], 10],
    ['at the first in between that the build with 3 sees', [...times(4, 'new fails'), 'old fails'], 5],
    ['when the build with 3 finds its lease over', [...times(4, 'new fails'), 'new is killed', 'old looks'], 5],
  ])('%s', async (_, story, failures) => {
    await play(story);
    expect(await row()).toMatchObject({ failures, due_at: null });
  });
});

describe('an event lives on', () => {
  test.each<[string, Step[], number]>([
    ['while only the build with 10 attempts sees its failures', times(9, 'new fails'), 9],
    [
      'when the build with 10 finds its lease over, whoever held it',
      ['new fails', 'new fails', 'old is killed', 'new looks'],
      3,
    ],
  ])('%s', async (_, story, failures) => {
    await play(story);
    expect(await row()).toMatchObject({ failures, due_at: expect.any(Date) });
  });
});
