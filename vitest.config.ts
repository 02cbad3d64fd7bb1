import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{process,database,handlers,producer,consumer,cli,word-service,start,tests,bench}/**/*.test.ts'],
    globalSetup: ['tests/database-server.ts'],
    // Real servers and real processes on two cores: how long a step takes is not what is tested. Many wait more than they work.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 3,
  },
});
