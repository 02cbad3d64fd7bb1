import type { z } from 'zod';
import type { Part } from '../start/part.ts';
import type { Stage } from './stage.ts';

/** A system that `npm run example -- NAME` starts. */
export interface Example {
  /** What it is, in one line. */
  about: string;
  /** What a person may change, as environment variables of its processes. */
  settings: z.ZodRawShape;
  /** The names of the ports that its parts need beside `front`. */
  ports: readonly string[];
  /** What is started when the database has its tables: one group after the other, and stopped in reverse. */
  parts: (stage: Stage) => Part[][];
  /** Whether nginx is among its parts. */
  hasFront: boolean;
  /** Lines to type, once all has started. */
  tries: (stage: Stage) => string[];
  /** What else can be done with its data: for `npm run example -- NAME --rebuild` a program that ends by itself. */
  commands?: Record<string, { main: string; why: string }>;
}
