-- What the two accounts may do. Make them first, with passwords of your own:
--   CREATE USER 'producer'@'%' IDENTIFIED BY '…';
--   CREATE USER 'consumer'@'%' IDENTIFIED BY '…';
-- Load this each time after init.sql: a routine that is replaced loses its grants.
GRANT SELECT ON DBStatus TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON Events TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON Kinds TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON EventPayloads TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON Installation TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON EventLog TO 'producer'@'%', 'consumer'@'%';

GRANT SELECT, INSERT (event) ON Outbox TO 'producer'@'%', 'consumer'@'%';

GRANT EXECUTE ON PROCEDURE create_events TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE create_events_by_key TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE forget_keys TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE raise_counter TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE revive_events TO 'producer'@'%'; -- for operators, over HTTP

GRANT EXECUTE ON PROCEDURE wake_event TO 'producer'@'%', 'consumer'@'%';

GRANT EXECUTE ON PROCEDURE add_kinds TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE claim_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE renew_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE fill_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE give_back_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE look_at_keys TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE forget_log TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE move_outbox TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE put_outbox_aside TO 'consumer'@'%';
-- Within transactions of handlers.
GRANT EXECUTE ON PROCEDURE lock_held TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE lock_all_held TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE fill_held TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE lock_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE lock_next_events TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE fill_locked TO 'consumer'@'%';
GRANT EXECUTE ON PROCEDURE give_back_locked TO 'consumer'@'%';
