import { defineHandlers } from '../handlers/define-handlers.ts';

/** What a consumer of the benchmark runs with --handlers: a plain function that does nothing for each event. */
export default defineHandlers({ nothing: { concurrency: 500, handle: () => null } });
