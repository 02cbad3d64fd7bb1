import { Job } from 'sidequest';

/** Called for each job; the worker runs its jobs in its own thread, so it can set this. */
export const ran = { onJobs: (_jobs: number): void => {} };

/** A job that does nothing. In a file of its own, for a Sidequest job is known by the file that exports it. */
export class NothingJob extends Job {
  run(): void {
    ran.onJobs(1);
  }
}
