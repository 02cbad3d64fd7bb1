-- What the two accounts may do. Make them first, with passwords of your own:
--   CREATE USER 'producer'@'%' IDENTIFIED BY '…';
--   CREATE USER 'consumer'@'%' IDENTIFIED BY '…';
-- Load this each time after init.sql: a routine that is replaced loses its grants.
GRANT SELECT ON DBStatus TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON Events TO 'producer'@'%', 'consumer'@'%';

GRANT EXECUTE ON PROCEDURE create_events TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE create_events_by_key TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE forget_keys TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE raise_counter TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE revive_events TO 'producer'@'%'; -- for operators, over HTTP

GRANT EXECUTE ON PROCEDURE claim_events TO 'consumer'@'%';
GRANT UPDATE (valor, processing, claimed_by, attempts, due_at, filled_at, last_error) ON Events TO 'consumer'@'%';
