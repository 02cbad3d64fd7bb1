-- The only definition of the tables, and of the rules that bind clients in every language.
-- Loads on MySQL 8.4+, 9.x and MariaDB 10.6+, with a client that knows DELIMITER; loading it again keeps the
-- data and replaces the routines. Load it as the set-up account: a trigger needs SUPER, or log_bin_trust_function_creators,
-- where the binary log is on. Inside the routines only the server's clock is read.
SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

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
  processing TINYINT UNSIGNED NOT NULL DEFAULT 0,                    -- 1 while a consumer holds the event
  claimed_by VARCHAR(64)      NULL,                                  -- who holds it or filled it, and
  attempts   INT UNSIGNED     NOT NULL DEFAULT 0,                    -- by which claim: together, the fence
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

-- Two rules for every client, also one that knows only id, valor and processing: a word never changes, and nobody
-- holds an event without a lease. A claim made without one is a new attempt, so that it ends every older claim's fence;
-- an event given back is due at once; and a dead one can be filled, but not held. Neither server replaces a
-- trigger in one step: between these two statements only our own clients keep the rules, by the WHERE of their statements.
DROP TRIGGER IF EXISTS keep_filled_and_lease //
CREATE TRIGGER keep_filled_and_lease BEFORE UPDATE ON Events FOR EACH ROW
BEGIN
  IF OLD.valor <> '' THEN
    SET NEW.valor = OLD.valor, NEW.processing = 0;
  ELSEIF NEW.valor <> '' THEN
    SET NEW.filled_at = COALESCE(NEW.filled_at, NOW(3));
  ELSEIF OLD.due_at IS NULL AND NEW.due_at IS NULL THEN
    SET NEW.processing = 0; -- it is dead
  ELSEIF NEW.due_at <=> OLD.due_at AND NEW.processing = 1 AND OLD.processing = 0 THEN
    SET NEW.due_at = NOW(3) + INTERVAL 60 SECOND, NEW.attempts = OLD.attempts + 1, NEW.claimed_by = NULL;
  ELSEIF NEW.due_at <=> OLD.due_at AND NEW.processing = 0 AND OLD.processing = 1 THEN
    SET NEW.due_at = NOW(3);
  END IF;
END //

-- Creates as many events as the JSON array has elements, and answers the id of the first. One round trip is one
-- transaction, so a producer that is frozen halfway holds no lock on DBStatus. In both routines the answer is selected
-- before COMMIT: then nothing can fail after it. Only who is ended by a shutdown may hear of an error all the same.
-- It also answers for how long, in µs, it waited until others had had their turn at DBStatus.
DROP PROCEDURE IF EXISTS create_events //
CREATE PROCEDURE create_events(IN new_events JSON)
BEGIN
  DECLARE last_id BIGINT UNSIGNED;
  DECLARE how_many INT UNSIGNED DEFAULT JSON_LENGTH(new_events);
  DECLARE waited BIGINT;
  DECLARE asked_at DATETIME(6) DEFAULT SYSDATE(6);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  UPDATE DBStatus SET id = LAST_INSERT_ID(id + how_many);
  SET last_id = LAST_INSERT_ID(), waited = TIMESTAMPDIFF(MICROSECOND, asked_at, SYSDATE(6));
  INSERT INTO Events (id)
    SELECT last_id - how_many + created.position
    FROM JSON_TABLE(new_events, '$[*]' COLUMNS (position FOR ORDINALITY)) AS created;
  SELECT last_id - how_many + 1 AS first_id, waited;
  COMMIT;
END //

-- Creates what has not been created under the same key before: requests are [{"key": …, "events": […]}, …], each key
-- once. Answers the key, first id and number of events of each request, whenever they were made. Creates take turns at
-- the row of DBStatus; whoever has it sees every key that was committed before, and nobody can add one meanwhile.
DROP PROCEDURE IF EXISTS create_events_once //
CREATE PROCEDURE create_events_once(IN requests JSON)
BEGIN
  DECLARE last_id BIGINT UNSIGNED;
  DECLARE new_last_id BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT id INTO last_id FROM DBStatus FOR UPDATE;
  INSERT INTO IdempotencyKeys (idempotency_key, first_id, how_many)
    SELECT asked.idempotency_key,
      last_id + 1 + SUM(asked.how_many) OVER (ORDER BY asked.position) - asked.how_many, asked.how_many
    FROM (
      SELECT position, idempotency_key, JSON_LENGTH(events) AS how_many
      FROM JSON_TABLE(requests, '$[*]' COLUMNS (
        position FOR ORDINALITY,
        idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key',
        events JSON PATH '$.events'
      )) AS listed
    ) AS asked
    WHERE NOT EXISTS (SELECT 1 FROM IdempotencyKeys AS known WHERE known.idempotency_key = asked.idempotency_key);
  SELECT COALESCE(MAX(made.first_id + made.how_many - 1), last_id) INTO new_last_id
    FROM JSON_TABLE(requests, '$[*]' COLUMNS (
      idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key'
    )) AS asked
    STRAIGHT_JOIN IdempotencyKeys AS made USING (idempotency_key)
    WHERE made.first_id > last_id;
  IF new_last_id > last_id THEN
    UPDATE DBStatus SET id = new_last_id;
    INSERT INTO Events (id)
      SELECT last_id + created.position
      FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', new_last_id - last_id - 1), ']'), '$[*]'
        COLUMNS (position FOR ORDINALITY)) AS created;
  END IF;
  SELECT made.idempotency_key, made.first_id, made.how_many
    FROM JSON_TABLE(requests, '$[*]' COLUMNS (
      idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key'
    )) AS asked
    STRAIGHT_JOIN IdempotencyKeys AS made USING (idempotency_key);
  COMMIT;
END //

-- Forgets up to `most` keys that are older than this, and answers how many. SKIP LOCKED: several producers do it.
DROP PROCEDURE IF EXISTS forget_keys //
CREATE PROCEDURE forget_keys(IN older_than_ms BIGINT UNSIGNED, IN most INT UNSIGNED)
BEGIN
  DECLARE old_keys LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT JSON_ARRAYAGG(old.idempotency_key) INTO old_keys FROM (
    SELECT idempotency_key FROM IdempotencyKeys FORCE INDEX (forget)
    WHERE created_at <= NOW(3) - INTERVAL older_than_ms * 1000 MICROSECOND
    ORDER BY created_at LIMIT most
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

-- Answers whether the row of DBStatus could be locked, and from when until when it was kept, in seconds. Two connections
-- that try it at the same time show whether this server's SKIP LOCKED takes locks; one that does not would give an
-- event to several.
DROP PROCEDURE IF EXISTS try_lock //
CREATE PROCEDURE try_lock(IN hold_ms INT UNSIGNED)
BEGIN
  DECLARE locked_id BIGINT UNSIGNED;
  DECLARE since DOUBLE;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT id INTO locked_id FROM DBStatus FOR UPDATE SKIP LOCKED;
  SET since = UNIX_TIMESTAMP(SYSDATE(6));
  DO SLEEP(LEAST(hold_ms, 1000) / 1000); -- creates wait for it
  SELECT locked_id IS NOT NULL AS locked, since, UNIX_TIMESTAMP(SYSDATE(6)) + 0e0 AS until; -- a number, not a decimal
  COMMIT;
END //

-- Claims up to `most` events that are open and have been due since then, and answers [[id, attempt], …] or NULL, and from
-- when on the next claim need look: what was due before is taken, or locked by somebody who takes it now. What was
-- committed later than it fell due could be missed so; hence the last second is always looked at, and callers look at all
-- now and then. SKIP LOCKED passes over what another consumer is claiming at this moment. FORCE INDEX: only in index
-- order does LIMIT also limit the locks, and only by primary key does the UPDATE touch no row but its own; on a small
-- table the optimizer would rather read it all, and wait for the rows that others hold (seen on MariaDB 10.11).
DROP PROCEDURE IF EXISTS claim_events //
CREATE PROCEDURE claim_events(
  IN consumer VARCHAR(64), IN most INT UNSIGNED, IN lease_ms INT UNSIGNED, IN since TIMESTAMP(3)
)
BEGIN
  DECLARE claimed LONGTEXT;
  DECLARE last_due_at DATETIME(3);
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT JSON_ARRAYAGG(JSON_ARRAY(due.id, due.attempts + 1)), MAX(due.due_at) INTO claimed, last_due_at FROM (
    SELECT id, attempts, due_at FROM Events FORCE INDEX (claim)
    WHERE open = 1 AND due_at >= since AND due_at <= NOW(3)
    ORDER BY due_at, id LIMIT most
    FOR UPDATE SKIP LOCKED
  ) AS due;
  IF claimed IS NOT NULL THEN
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

-- Brings those events of [id, …] that are dead back to life, due at once and with all attempts before them, and answers
-- their ids as [id, …] or NULL. Two who revive the same event at once may both be told that it was dead.
DROP PROCEDURE IF EXISTS revive_events //
CREATE PROCEDURE revive_events(IN ids JSON)
BEGIN
  DECLARE dead LONGTEXT;
  SELECT JSON_ARRAYAGG(Events.id) INTO dead
    FROM JSON_TABLE(ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
    WHERE Events.due_at IS NULL AND (Events.valor IS NULL OR Events.valor = '');
  IF dead IS NOT NULL THEN
    UPDATE JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
      SET Events.due_at = NOW(3), Events.attempts = 0, Events.processing = 0, Events.claimed_by = NULL
      WHERE Events.due_at IS NULL AND (Events.valor IS NULL OR Events.valor = '');
  END IF;
  SELECT dead AS revived;
END //

DELIMITER ;
