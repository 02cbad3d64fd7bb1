-- The tables, and the rules that bind clients in every language. Loading it again keeps the data. It needs MySQL 8.4+ or
-- MariaDB 10.6+, and an account that may make triggers: SUPER, or log_bin_trust_function_creators, with a binary log.
SET NAMES utf8mb4;
SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

DELIMITER //

-- Tables of the same names with other columns, as another system has them, would stop this script halfway.
DROP PROCEDURE IF EXISTS refuse_other_tables //
CREATE PROCEDURE refuse_other_tables()
BEGIN
  DECLARE refusal VARCHAR(128);
  SELECT CONCAT('The table ', MIN(found.TABLE_NAME), ' was not made by init.sql, and stays as it is; load this into a database of its own.')
    INTO refusal FROM information_schema.TABLES AS found
    WHERE found.TABLE_SCHEMA = DATABASE() AND found.TABLE_NAME IN ('DBStatus', 'Events', 'IdempotencyKeys')
      AND NOT EXISTS (
        SELECT 1 FROM information_schema.COLUMNS AS ours
        WHERE ours.TABLE_SCHEMA = DATABASE() AND ours.TABLE_NAME = found.TABLE_NAME
          AND ours.COLUMN_NAME IN ('singleton', 'open', 'first_id')
      );
  IF refusal IS NOT NULL THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = refusal;
  END IF;
END //
CALL refuse_other_tables() //
DROP PROCEDURE refuse_other_tables //

DELIMITER ;

-- How many events were ever created, which is also the id of the newest: ids are 1, 2, 3 … without gaps.
CREATE TABLE IF NOT EXISTS DBStatus (
  id        BIGINT UNSIGNED  NOT NULL,
  singleton TINYINT UNSIGNED NOT NULL DEFAULT 1,
  PRIMARY KEY (singleton),
  CONSTRAINT one_row CHECK (singleton = 1)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Events (
  id         BIGINT UNSIGNED  NOT NULL,
  valor      VARCHAR(255)     NULL,                                  -- the word; NULL or '' until filled
  processing TINYINT UNSIGNED NOT NULL DEFAULT 0,                    -- 1 while a consumer holds the event, 2 when it is dead
  -- Who holds it or filled it. Its length never changes, so that a claim makes no row longer.
  claimed_by CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT '',
  attempts   INT UNSIGNED     NOT NULL DEFAULT 0,                    -- how often it was claimed; with claimed_by, the fence
  due_at     TIMESTAMP(3)     NULL DEFAULT CURRENT_TIMESTAMP(3),     -- from when on it may be claimed; NULL: never, it is dead
  created_at TIMESTAMP(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  filled_at  TIMESTAMP(3)     NULL,
  last_error VARCHAR(255)     NULL,
  open       TINYINT UNSIGNED AS (IF((valor IS NULL OR valor = '') AND due_at IS NOT NULL, 1, NULL)) VIRTUAL,
  PRIMARY KEY (id),
  -- Serves the claim and nothing else. Filled rows have open = NULL and leave its range, so its length is the backlog.
  KEY claim (open, due_at, id),
  -- 2^53 - 1: beyond it a JSON number is no longer exact.
  CONSTRAINT exact_id CHECK (id BETWEEN 1 AND 9007199254740991)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What a create with an Idempotency-Key made, so that whoever repeats the key gets the same events again.
CREATE TABLE IF NOT EXISTS IdempotencyKeys (
  idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_id        BIGINT UNSIGNED NOT NULL,
  how_many        INT UNSIGNED    NOT NULL,
  created_at      TIMESTAMP(3)    NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (idempotency_key),
  KEY forget (created_at)
) ENGINE = InnoDB;

INSERT IGNORE INTO DBStatus (id) SELECT COALESCE(MAX(id), 0) FROM Events;

DELIMITER //

-- Rules for every client, also one that knows only id, valor and processing: a word never changes, nobody holds an event
-- without a lease, and a dead one can be filled but not held.
DROP TRIGGER IF EXISTS keep_filled_and_lease //
CREATE TRIGGER keep_filled_and_lease BEFORE UPDATE ON Events FOR EACH ROW
BEGIN
  IF OLD.valor <> '' THEN
    SET NEW.valor = OLD.valor, NEW.processing = 0;
  ELSEIF NEW.valor <> '' THEN
    SET NEW.filled_at = COALESCE(NEW.filled_at, NOW(3)), NEW.processing = 0;
  ELSEIF NEW.due_at <> OLD.due_at THEN
    BEGIN END; -- our own clients know leases
  ELSEIF NEW.due_at IS NULL THEN
    SET NEW.processing = 2; -- it is dead: at 0 it would be the first that such a client takes, for ever
  ELSEIF NEW.processing = 2 THEN
    SET NEW.processing = 0;
  ELSEIF NEW.processing = 1 AND OLD.processing = 0 THEN
    -- A claim without a lease. As a new attempt it ends every older claim.
    SET NEW.due_at = NOW(3) + INTERVAL 60 SECOND, NEW.attempts = OLD.attempts + 1, NEW.claimed_by = '';
  ELSEIF NEW.processing = 0 AND OLD.processing = 1 THEN
    SET NEW.due_at = NOW(3); -- given back
  END IF;
END //

DROP PROCEDURE IF EXISTS try_lock // -- of an earlier init.sql

-- What a table of an earlier init.sql lacks: a claimed_by of fixed length, and 2 for events that are dead. The ALTER copies
-- the table, and writes wait for it.
DROP PROCEDURE IF EXISTS upgrade_events //
CREATE PROCEDURE upgrade_events()
BEGIN
  IF EXISTS (
    SELECT 1 FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'Events' AND COLUMN_NAME = 'claimed_by' AND DATA_TYPE <> 'char'
  ) THEN
    ALTER TABLE Events MODIFY claimed_by CHAR(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT '';
  END IF;
  REPEAT
    UPDATE Events FORCE INDEX (claim) SET processing = 2
      WHERE open IS NULL AND due_at IS NULL AND (valor IS NULL OR valor = '') AND processing = 0 LIMIT 1000;
  UNTIL ROW_COUNT() = 0 END REPEAT;
END //
CALL upgrade_events() //
DROP PROCEDURE upgrade_events //

-- Creates as many events as the JSON array has elements, and answers the id of the first. The answer is selected before
-- COMMIT: nothing can fail after it.
DROP PROCEDURE IF EXISTS create_events //
CREATE PROCEDURE create_events(IN new_events JSON)
BEGIN
  DECLARE last_id BIGINT UNSIGNED;
  DECLARE how_many INT UNSIGNED DEFAULT JSON_LENGTH(new_events);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  UPDATE DBStatus SET id = LAST_INSERT_ID(id + how_many);
  SET last_id = LAST_INSERT_ID();
  IF NOT EXISTS (SELECT 1 FROM DBStatus) THEN -- last_id would be what this connection created before
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The row of DBStatus is missing; load database/init.sql again.';
  END IF;
  INSERT INTO Events (id)
    SELECT last_id - how_many + created.position
    FROM JSON_TABLE(new_events, '$[*]' COLUMNS (position FOR ORDINALITY)) AS created;
  SELECT last_id - how_many + 1 AS first_id;
  COMMIT;
END //

-- Creates what was not created under its key before, for [{"key": …, "howMany": …}, …], each key once. Answers
-- [[key, first id, how many], …] for all keys. Nobody adds a key while the row of DBStatus is locked.
DROP PROCEDURE IF EXISTS create_events_by_key //
CREATE PROCEDURE create_events_by_key(IN requests JSON)
BEGIN
  DECLARE last_id, new_last_id BIGINT UNSIGNED;
  DECLARE created LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT id INTO last_id FROM DBStatus FOR UPDATE;
  IF last_id IS NULL THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The row of DBStatus is missing; load database/init.sql again.';
  END IF;
  INSERT INTO IdempotencyKeys (idempotency_key, first_id, how_many)
    SELECT idempotency_key, last_id + 1 + SUM(how_many) OVER (ORDER BY position) - how_many, how_many
    FROM JSON_TABLE(requests, '$[*]' COLUMNS (
      position FOR ORDINALITY,
      idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key',
      how_many INT UNSIGNED PATH '$.howMany'
    )) AS asked
    WHERE NOT EXISTS (SELECT 1 FROM IdempotencyKeys AS known WHERE known.idempotency_key = asked.idempotency_key);
  SELECT JSON_ARRAYAGG(JSON_ARRAY(idempotency_key, first_id, how_many)), MAX(first_id + how_many - 1)
    INTO created, new_last_id
    FROM JSON_TABLE(requests, '$[*]' COLUMNS (
      idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key'
    )) AS asked
    STRAIGHT_JOIN IdempotencyKeys USING (idempotency_key);
  IF new_last_id > last_id THEN
    UPDATE DBStatus SET id = new_last_id;
    INSERT INTO Events (id)
      SELECT last_id + position
      FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', new_last_id - last_id - 1), ']'), '$[*]'
        COLUMNS (position FOR ORDINALITY)) AS new_event;
  END IF;
  SELECT created;
  COMMIT;
END //

-- Forgets up to `row_limit` keys that are older than this, and answers how many. SKIP LOCKED: several producers do it.
DROP PROCEDURE IF EXISTS forget_keys //
CREATE PROCEDURE forget_keys(IN older_than_ms BIGINT UNSIGNED, IN row_limit INT UNSIGNED)
BEGIN
  DECLARE old_keys LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT JSON_ARRAYAGG(old.idempotency_key) INTO old_keys FROM (
    SELECT idempotency_key FROM IdempotencyKeys FORCE INDEX (forget)
    WHERE created_at <= NOW(3) - INTERVAL older_than_ms * 1000 MICROSECOND
    ORDER BY created_at LIMIT row_limit
    FOR UPDATE SKIP LOCKED
  ) AS old;
  IF old_keys IS NOT NULL THEN
    DELETE forgotten FROM JSON_TABLE(old_keys, '$[*]' COLUMNS (
        idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$'
      )) AS chosen
      STRAIGHT_JOIN IdempotencyKeys AS forgotten FORCE INDEX (PRIMARY) USING (idempotency_key);
  END IF;
  SELECT COALESCE(JSON_LENGTH(old_keys), 0) AS forgotten;
  COMMIT;
END //

-- Claims up to `row_limit` open events that have been due since then. Answers [[id, attempt], …] or NULL, and from when on
-- the next claim need look: one second back at least, for events committed late.
DROP PROCEDURE IF EXISTS claim_events //
CREATE PROCEDURE claim_events(
  IN consumer VARCHAR(64), IN row_limit INT UNSIGNED, IN lease_ms INT UNSIGNED, IN since TIMESTAMP(3)
)
BEGIN
  DECLARE claimed LONGTEXT;
  DECLARE last_due_at DATETIME(3);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  -- FORCE INDEX: LIMIT bounds the locks only in index order.
  SELECT JSON_ARRAYAGG(JSON_ARRAY(due.id, due.attempts + 1)), MAX(due.due_at) INTO claimed, last_due_at FROM (
    SELECT id, attempts, due_at FROM Events FORCE INDEX (claim)
    WHERE open = 1 AND due_at >= since AND due_at <= NOW(3)
    ORDER BY due_at, id LIMIT row_limit
    FOR UPDATE SKIP LOCKED
  ) AS due;
  IF claimed IS NOT NULL THEN
    -- FORCE INDEX: MariaDB 10.11 would read a small table whole, and wait for the rows that others hold.
    UPDATE JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
      SET Events.processing = 1, Events.claimed_by = consumer, Events.attempts = Events.attempts + 1,
          Events.due_at = NOW(3) + INTERVAL lease_ms * 1000 MICROSECOND;
  END IF;
  SELECT claimed, LEAST(COALESCE(last_due_at, NOW(3)), NOW(3) - INTERVAL 1 SECOND) AS next_since;
  COMMIT;
END //

-- Raises a counter that stayed behind the newest event, as a client leaves it that inserts before it raises.
DROP PROCEDURE IF EXISTS raise_counter //
CREATE PROCEDURE raise_counter()
BEGIN
  UPDATE DBStatus SET id = GREATEST(id, (SELECT COALESCE(MAX(id), 0) FROM Events));
END //

-- Makes those of [id, …] that are dead due at once, with all attempts before them, and answers which. SKIP LOCKED: one that
-- somebody else has locked holds up no other.
DROP PROCEDURE IF EXISTS revive_events //
CREATE PROCEDURE revive_events(IN ids JSON)
BEGIN
  DECLARE dead LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT JSON_ARRAYAGG(found.id) INTO dead FROM (
    SELECT Events.id FROM JSON_TABLE(ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
    WHERE Events.due_at IS NULL AND (Events.valor IS NULL OR Events.valor = '')
    FOR UPDATE /*!80000 OF Events */ SKIP LOCKED -- MariaDB has no OF, and needs none
  ) AS found;
  IF dead IS NOT NULL THEN
    UPDATE JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
      SET Events.due_at = NOW(3), Events.attempts = 0, Events.processing = 0, Events.claimed_by = '';
  END IF;
  SELECT dead AS revived;
  COMMIT;
END //

DELIMITER ;
