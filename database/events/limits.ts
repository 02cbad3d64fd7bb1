/** What a create may ask for. */

/** The name of a kind. */
export const KIND_PATTERN = /^[a-z][a-z0-9._-]{0,63}$/;
/** The kind of an event of which nothing else is said: a Portuguese word. */
export const DEFAULT_KIND = 'word';
/** Of one create, in one transaction. */
export const EVENTS_LIMIT = 10_000;
/** An ordering key: up to 255 characters of well-formed text, none of them a control character. */
export const KEY_PATTERN = /^[^\p{Cc}\p{Cs}]{1,255}$/u;
/** A year. */
export const DELAY_LIMIT_MS = 31_536_000_000;
/** Bytes of a payload's JSON, unless PAYLOAD_LIMIT says otherwise; and how much it may say. */
export const PAYLOAD_LIMIT = 65_536;
export const LARGEST_PAYLOAD_LIMIT = 1_048_576;
