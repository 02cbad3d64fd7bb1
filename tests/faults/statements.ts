/** The statements of our processes as a proxy sees them on their way to the server. */
export const CREATE = /CALL create_events/;
export const CLAIM = /CALL claim_events/;
export const FILL = /CALL fill_events/;
/** A producer's look for those who wait. */
export const LOOK = /AS waiting/;
