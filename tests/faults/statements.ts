/** The statements of our processes as a proxy sees them on their way to the server. */
export const CREATE = /CALL create_events/;
export const CLAIM = /CALL claim_events/;
export const FILL = /CALL fill_events/;
/** A producer's look for those who wait. */
export const LOOK = /AS waiting/;
/** In the transaction of a handler: its last statement before the commit, for an event that is held, and for locked ones. */
export const FILL_HELD = /CALL fill_held/;
export const FILL_LOCKED = /CALL fill_locked/;
/** Of such a transaction: no other is ended by a statement of its own. */
export const COMMIT = /^[^]{5,7}COMMIT$/; // MySQL takes query attributes before the text
