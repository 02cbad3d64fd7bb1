import type { Scenario } from './scenario.ts';
import { accounts } from './scenarios/accounts.ts';
import { addToDone } from './scenarios/add-to-done.ts';
import { claimTime } from './scenarios/claim-time.ts';
import { claimTimeLongKey } from './scenarios/claim-time-long-key.ts';
import { createAsync } from './scenarios/create-async.ts';
import { createSyncBusy } from './scenarios/create-sync-busy.ts';
import { createSyncLatency } from './scenarios/create-sync-latency.ts';
import { drainManyConsumers } from './scenarios/drain-many-consumers.ts';
import { drainOneConsumer } from './scenarios/drain-one-consumer.ts';
import { heldRequests } from './scenarios/held-requests.ts';
import { idle } from './scenarios/idle.ts';
import { steadyState } from './scenarios/steady-state.ts';
import { throughNginx } from './scenarios/through-nginx.ts';

/** In the order in which they run. */
export const scenarios: readonly Scenario[] = [
  createAsync,
  throughNginx,
  drainOneConsumer,
  drainManyConsumers,
  claimTime,
  claimTimeLongKey,
  createSyncLatency,
  addToDone,
  createSyncBusy,
  heldRequests,
  idle,
  steadyState,
];

/** Of the examples: only those that `--only` names. */
export const exampleScenarios: readonly Scenario[] = [accounts];
