/** What every queue is measured in. */
export const METRICS = ['add', 'bulk', 'drain', 'two-processes', 'one-process'] as const;
export type Metric = (typeof METRICS)[number];

/** From the call that adds a job to the job's end: added by one process and done by another, or both by one. */
export type Latency = 'two-processes' | 'one-process';

export function isLatency(metric: Metric): metric is Latency {
  return metric === 'two-processes' || metric === 'one-process';
}

export type ServerKind = 'postgresql' | 'redis' | 'mysql';

/** One queue in this comparison: how it is used at its best, and where its settings come from. */
export interface Peer {
  name: string;
  version: string;
  server: ServerKind;
  /** What happens to a job, for a reader who compares. */
  does: string;
  /** All, unless said. */
  metrics?: readonly Metric[];
  /** What a reader needs to judge a number. */
  settings: Partial<Record<Exclude<Metric, Latency> | 'latency', string>>;
  /** Jobs in one call of its bulk API, and calls under way at once: what was fastest of what was tried. */
  bulk: { jobs: number; callers: number };
  /** How many jobs one process is given to drain: at least five seconds of work for the fast ones, on two cores. */
  drainJobs: number;
  /** Once for each queue. */
  recovery?: Recovery;
  /** Makes its tables, in an empty database, before anything is measured. */
  prepare: (url: string, metric: Metric) => Promise<void>;
  connect: (url: string) => Promise<Producer>;
  /** A worker that does nothing for each job, and has begun to look for them when this resolves. */
  work: (url: string, metric: Metric, onJobs: (jobs: number) => void) => Promise<Worker>;
}

/** How long the jobs of a worker that is killed may stay untouched; from documents and source, not measured. */
export interface Recovery {
  worst: string;
  setting: string;
  source: string;
}

export interface Producer {
  /** Resolves to the job's id once the job is durable. */
  add: () => Promise<string>;
  /** Resolves once all of them are durable. */
  addMany: (jobs: number) => Promise<void>;
  /** Lets the server gather what it would have gathered of its own accord, had the backlog come more slowly. */
  settle: () => Promise<void>;
  /** Whether another process can see that this job is finished. */
  isDone: (id: string) => Promise<boolean>;
  /** Whether nothing is left, waiting or under way. */
  isDrained: () => Promise<boolean>;
  close: () => Promise<void>;
}

export interface Worker {
  stop: () => Promise<void>;
}
