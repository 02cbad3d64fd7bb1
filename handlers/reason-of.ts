import { REASON_LIMIT } from './limits.ts';

// An error may be its own cause.
const DEEPEST_CAUSE = 4;

/** What a person reads about something thrown, with its causes: at most 255 characters. Throws nothing itself. */
export function reasonOf(thrown: unknown): string {
  try {
    const messages: string[] = [];
    let error = thrown;
    for (let depth = 0; depth < DEEPEST_CAUSE && error !== undefined; depth += 1) {
      const message = messageOf(error);
      // Many errors repeat the message of their cause.
      if (!messages.some((text) => text.includes(message))) messages.push(message);
      error = error instanceof Error ? error.cause : undefined;
    }
    return cutReason(messages.join(': ')) || 'no reason was given';
  } catch {
    return 'something was thrown that has no message';
  }
}

/** As many characters as are kept of a reason, and no half ones. */
export function cutReason(text: string): string {
  const characters = Array.from(text.slice(0, 2 * REASON_LIMIT).toWellFormed());
  return characters.slice(0, REASON_LIMIT).join('');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection may be an error without a message.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
