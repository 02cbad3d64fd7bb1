-- What the two accounts of the processes may do. Make the accounts first, with passwords of your own:
--   CREATE USER 'producer'@'%' IDENTIFIED BY '…';
--   CREATE USER 'consumer'@'%' IDENTIFIED BY '…';
-- Load this into the same database as init.sql, and each time after it: a routine that is replaced takes the right to
-- call it along (seen on MySQL 9.7 and MariaDB 10.11), and a right on all routines would let producers claim and
-- consumers create. The processes wait out the moment in between. A routine has the rights of the account that loaded
-- it, so a producer writes to no table itself. Nobody here may delete, alter or drop; keys are forgotten by a routine.
GRANT SELECT ON DBStatus TO 'producer'@'%', 'consumer'@'%';
GRANT SELECT ON Events TO 'producer'@'%', 'consumer'@'%';

GRANT EXECUTE ON PROCEDURE create_events TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE create_events_once TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE forget_keys TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE raise_counter TO 'producer'@'%';
GRANT EXECUTE ON PROCEDURE revive_events TO 'producer'@'%'; -- for operators, over HTTP

GRANT EXECUTE ON PROCEDURE claim_events TO 'consumer'@'%';
GRANT UPDATE (valor, processing, claimed_by, attempts, due_at, filled_at, last_error) ON Events TO 'consumer'@'%';
