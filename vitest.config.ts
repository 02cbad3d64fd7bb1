import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take minutes begin first: one that begins last keeps a single processor busy for so long. */
const SLOW = /\/(end-to-end|waiting|example|failover|short-list|planted-bugs|upgrade)\.test\.ts$/;

class SlowFirst extends BaseSequencer {
  override sort(files: TestSpecification[]) {
    const isSlow = ({ moduleId }: TestSpecification) => Number(SLOW.test(moduleId));
    return Promise.resolve(files.toSorted((a, b) => isSlow(b) - isSlow(a)));
  }
}

export default defineConfig({
  test: {
    include: ['{process,database,examples,handlers,producer,consumer,cli,word-service,start,tests,bench}/**/*.test.ts'],
    globalSetup: ['tests/database-server.ts'],
    // Real servers and real processes on two cores: how long a step takes is not what is tested. Many wait more than they work.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    // Tests start hundreds of processes. With it, each start takes half of the processor time.
    env: { NODE_COMPILE_CACHE: resolve('node_modules/.cache/compile') },
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
  },
});
