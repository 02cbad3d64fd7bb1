/** What the table takes, as a handler must keep to it: the same as in database/events/limits.ts, which handlers do not know. */
export const KIND_PATTERN = /^[a-z][a-z0-9._-]{0,63}$/;
/** How many bytes of JSON a value may take. */
export const RESULT_LIMIT = 65_536;
/** How many characters the value of a word may have. */
export const WORD_LIMIT = 255;
/** How many characters are kept of a reason. */
export const REASON_LIMIT = 255;
/** A year. */
export const DELAY_LIMIT_MS = 31_536_000_000;
/** A timer that is asked for more fires at once. */
export const TIMER_LIMIT_MS = 2_147_483_647;
