/** What a create may ask for. */

/** The name of a kind. */
export const KIND_PATTERN = /^[a-z][a-z0-9._-]{0,63}$/;
/** The kind of an event of which nothing else is said: a Portuguese word. */
export const DEFAULT_KIND = 'word';
/** Of one create, in one transaction. */
export const EVENTS_LIMIT = 10_000;
/** Characters of an ordering key. */
export const KEY_LIMIT = 255;
/** A year. */
export const DELAY_LIMIT_MS = 31_536_000_000;
/** Bytes of a value's JSON. */
export const RESULT_LIMIT = 65_536;
