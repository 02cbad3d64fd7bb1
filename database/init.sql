-- The tables, and the rules that bind clients in every language. Loading it again keeps the data; npm run migrate upgrades
-- older tables first. docs/operations.md says which servers and which account. All times are UTC, by the server's clock.
SET NAMES utf8mb4;
SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

DELIMITER //

-- Tables of the same names with other columns, as another system has them, would stop this script halfway.
DROP PROCEDURE IF EXISTS refuse_other_tables //
CREATE PROCEDURE refuse_other_tables()
BEGIN
  DECLARE refusal VARCHAR(128);
  SELECT CONCAT('The table ', MIN(found.TABLE_NAME), ' is not of this version, and stays as it is; run npm run migrate, or load this into another database.')
    INTO refusal FROM information_schema.TABLES AS found
    WHERE found.TABLE_SCHEMA = DATABASE()
      AND found.TABLE_NAME IN ('DBStatus', 'Events', 'Kinds', 'EventPayloads', 'EventKeys', 'IdempotencyKeys', 'Installation', 'Outbox', 'EventLog')
      AND NOT EXISTS (
        SELECT 1 FROM information_schema.COLUMNS AS ours
        WHERE ours.TABLE_SCHEMA = DATABASE() AND ours.TABLE_NAME = found.TABLE_NAME
          AND ours.COLUMN_NAME IN ('singleton', 'lease_until', 'looked_at', 'payload_bytes', 'own_due_at', 'first_id', 'problem', 'log_key')
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
  id          BIGINT UNSIGNED   NOT NULL,
  valor       MEDIUMTEXT        NULL,                              -- NULL or '' until filled; a word, or the JSON of another kind
  processing  TINYINT UNSIGNED  NOT NULL DEFAULT 0,                -- 1: held. 0: free, or filled. 2: dead, or free and no word
  kind        SMALLINT UNSIGNED NOT NULL DEFAULT 1,
  -- Who holds it or filled it, and which claim of it this is: together, the fence. A claim makes no row longer.
  claimed_by  CHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  attempts    INT UNSIGNED      NOT NULL DEFAULT 0,
  lease_until DATETIME(3)       NOT NULL DEFAULT '2000-01-01 00:00:00',
  due_at      DATETIME(3)       NULL DEFAULT (UTC_TIMESTAMP(3)),   -- from when on it may be claimed. NULL: dead. Year 9999: it waits for its key
  failures    INT UNSIGNED      NOT NULL DEFAULT 0,                -- failed attempts and lost leases
  waits       INT UNSIGNED      NOT NULL DEFAULT 0,                -- how often its handler said: later
  created_at  DATETIME(3)       NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  filled_at   DATETIME(3)       NULL,
  last_error  VARCHAR(255)      NULL,
  dead_reason VARCHAR(255)      NULL,                              -- what its handler said of its death, for whoever waits for it
  padding     VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '', -- place for a short value: no page is split when it comes
  open        TINYINT UNSIGNED  AS (IF((valor IS NULL OR valor = '') AND due_at IS NOT NULL, 1, NULL)) VIRTUAL,
  PRIMARY KEY (id),
  -- Serves the claim and nothing else. Filled and dead rows have open = NULL and leave its range.
  KEY claim (kind, open, due_at, id),
  -- 2^53 - 1: beyond it a JSON number is no longer exact.
  CONSTRAINT exact_id CHECK (id BETWEEN 1 AND 9007199254740991)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- A kind of events exists from its first use. Using it again changes nothing that an operator has set.
CREATE TABLE IF NOT EXISTS Kinds (
  id        SMALLINT UNSIGNED NOT NULL,
  name      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  paused    TINYINT UNSIGNED  NOT NULL DEFAULT 0,
  looked_at DATETIME(3)       NOT NULL DEFAULT '2000-01-01 00:00:00', -- when a consumer last looked at all that is due
  PRIMARY KEY (id),
  UNIQUE KEY by_name (name)
) ENGINE = InnoDB;

-- What was said of an event at its creation, and never changes: wide rows cost a claim and a fill nothing.
CREATE TABLE IF NOT EXISTS EventPayloads (
  id            BIGINT UNSIGNED NOT NULL,
  event_key     VARCHAR(255)    NULL,
  payload       LONGTEXT        NULL, -- text and not JSON, which would reorder members and round numbers
  trace         VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NULL,
  payload_bytes INT UNSIGNED    NOT NULL,
  PRIMARY KEY (id),
  KEY by_key (event_key, id) -- says what came after an event that is to be revived
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The events of each ordering key that are neither filled nor dead. The first of a key is due, the others wait for it.
CREATE TABLE IF NOT EXISTS EventKeys (
  event_key  VARCHAR(255)    NOT NULL,
  id         BIGINT UNSIGNED NOT NULL,
  own_due_at DATETIME(3)     NOT NULL, -- when it would be due without the others
  PRIMARY KEY (event_key, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- What a create with an Idempotency-Key made, so that whoever repeats the key gets the same events again.
CREATE TABLE IF NOT EXISTS IdempotencyKeys (
  idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  first_id        BIGINT UNSIGNED NOT NULL,
  how_many        INT UNSIGNED    NOT NULL,
  created_at      DATETIME(3)     NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  PRIMARY KEY (idempotency_key),
  KEY forget (created_at)
) ENGINE = InnoDB;

-- Events that were written in somebody's own transaction; consumers move them into Events.
CREATE TABLE IF NOT EXISTS Outbox (
  id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  event   LONGTEXT        NOT NULL, -- {"kind", "payload", "key", "delayMs"}. Not of the type JSON, which would round long numbers
  problem VARCHAR(255)    NULL,     -- why no event can be made of it; it is passed over
  PRIMARY KEY (id),
  KEY to_move (problem, id)
) ENGINE = InnoDB;

-- How attempts ended, for whoever asks later. Forgotten after a while.
CREATE TABLE IF NOT EXISTS EventLog (
  line       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  id         BIGINT UNSIGNED NOT NULL, -- of the event
  attempt    INT UNSIGNED    NOT NULL,
  started_at DATETIME(3)     NULL,     -- NULL: its consumer died, and only the end of the lease is known
  ended_at   DATETIME(3)     NOT NULL,
  consumer   CHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  outcome    VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, -- filled, failed, dead, later, lost
  text       VARCHAR(255)    NULL,     -- why it failed, or the beginning of the value
  log_key    VARCHAR(255)    NULL,     -- what its handler has lines searched by
  PRIMARY KEY (line),
  KEY by_event (id, line),
  KEY by_log_key (log_key, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS Installation (
  singleton       TINYINT UNSIGNED  NOT NULL DEFAULT 1,
  version         SMALLINT UNSIGNED NOT NULL,
  installation_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT (UUID()), -- tells event 7 from that of another database
  keys_looked_at  DATETIME(3)       NOT NULL DEFAULT '2000-01-01 00:00:00', -- when a consumer last looked for keys that nobody hands on
  PRIMARY KEY (singleton),
  CONSTRAINT one_installation CHECK (singleton = 1)
) ENGINE = InnoDB;

INSERT IGNORE INTO DBStatus (id) SELECT COALESCE(MAX(id), 0) FROM Events;
INSERT IGNORE INTO Kinds (id, name) VALUES (1, 'word');

DELIMITER //

-- Rules for every client, also one that knows only id, valor and processing: a value never changes, nobody holds an event
-- without a lease, and a dead one can be filled but not held.
DROP TRIGGER IF EXISTS keep_filled_and_lease //
CREATE TRIGGER keep_filled_and_lease BEFORE UPDATE ON Events FOR EACH ROW
BEGIN
  IF OLD.valor <> '' THEN
    SET NEW.valor = OLD.valor, NEW.processing = 0;
  ELSEIF NEW.valor <> '' THEN
    SET NEW.filled_at = COALESCE(NEW.filled_at, UTC_TIMESTAMP(3)), NEW.processing = 0, NEW.padding = '';
  ELSEIF NEW.lease_until <> OLD.lease_until THEN
    BEGIN END; -- our own clients know leases
  ELSEIF NEW.due_at IS NULL THEN
    SET NEW.processing = 2; -- it is dead: at 0 it would be the first that such a client takes, for ever
  ELSEIF NEW.processing = 1 AND OLD.processing <> 1 THEN
    -- A claim without a lease. As a new attempt it ends every older claim.
    SET NEW.lease_until = UTC_TIMESTAMP(3) + INTERVAL 60 SECOND, NEW.attempts = OLD.attempts + 1, NEW.claimed_by = '';
  ELSEIF NEW.processing <> 1 THEN
    SET NEW.processing = IF(NEW.kind = 1 AND NEW.due_at < '9999-01-01', 0, 2);
    IF OLD.processing = 1 THEN -- given back; one that waits for its key still waits
      SET NEW.lease_until = '2000-01-01 00:00:00', NEW.due_at = IF(NEW.due_at < '9999-01-01', UTC_TIMESTAMP(3), NEW.due_at);
    END IF;
  END IF;
END //

-- Part of a create: inserts the events that follow the id `last_id`, each {"kind", "payload", "key", "delayMs", "trace"}. The
-- payload is in base64. Texts have one character more than their columns take: MariaDB would cut what is too long.
DROP PROCEDURE IF EXISTS insert_events //
CREATE PROCEDURE insert_events(IN last_id BIGINT UNSIGNED, IN new_events JSON)
BEGIN
  IF NOT JSON_CONTAINS_PATH(new_events, 'one', '$[*].kind', '$[*].payload', '$[*].key', '$[*].delayMs', '$[*].trace') THEN
    INSERT INTO Events (id, padding)
      SELECT last_id + position, REPEAT('.', 24) FROM JSON_TABLE(new_events, '$[*]' COLUMNS (position FOR ORDINALITY)) AS given;
  ELSE
    CALL add_kinds(new_events);
    INSERT INTO Events (id, kind, processing, due_at, padding)
      SELECT last_id + position, Kinds.id, IF(Kinds.id = 1, 0, 2),
        UTC_TIMESTAMP(3) + INTERVAL COALESCE(delay_ms, 0) * 1000 MICROSECOND, REPEAT('.', 24)
      FROM JSON_TABLE(new_events, '$[*]' COLUMNS (
        position FOR ORDINALITY,
        kind VARCHAR(65) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind' ERROR ON ERROR,
        delay_ms BIGINT UNSIGNED PATH '$.delayMs' ERROR ON ERROR
      )) AS given
      STRAIGHT_JOIN Kinds FORCE INDEX (by_name) ON Kinds.name = COALESCE(given.kind, 'word');
    INSERT INTO EventPayloads (id, event_key, payload, trace, payload_bytes)
      SELECT last_id + position, event_key, CONVERT(FROM_BASE64(payload) USING utf8mb4), trace,
        COALESCE(OCTET_LENGTH(FROM_BASE64(payload)), 0)
      FROM JSON_TABLE(new_events, '$[*]' COLUMNS (
        position FOR ORDINALITY,
        event_key VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.key' ERROR ON ERROR,
        payload LONGTEXT CHARACTER SET ascii PATH '$.payload' ERROR ON ERROR,
        trace VARCHAR(1025) CHARACTER SET ascii COLLATE ascii_bin PATH '$.trace' ERROR ON ERROR
      )) AS given
      WHERE event_key IS NOT NULL OR payload IS NOT NULL OR trace IS NOT NULL;
    IF JSON_CONTAINS_PATH(new_events, 'one', '$[*].key') THEN
      CALL insert_keys(last_id, JSON_LENGTH(new_events));
    END IF;
  END IF;
END //

-- Part of a create: makes those kinds that are new.
DROP PROCEDURE IF EXISTS add_kinds //
CREATE PROCEDURE add_kinds(IN named JSON)
BEGIN
  DECLARE new_kinds LONGTEXT;
  DECLARE known_kinds, last_kind SMALLINT UNSIGNED;
  SELECT JSON_ARRAYAGG(unknown.kind) INTO new_kinds FROM (
    SELECT DISTINCT given.kind FROM JSON_TABLE(named, '$[*]' COLUMNS (
      kind VARCHAR(65) CHARACTER SET ascii COLLATE ascii_bin PATH '$.kind' ERROR ON ERROR
    )) AS given
    WHERE given.kind IS NOT NULL AND NOT EXISTS (SELECT 1 FROM Kinds WHERE Kinds.name = given.kind)
  ) AS unknown;
  IF new_kinds IS NOT NULL THEN
    SELECT COUNT(*), MAX(id) INTO known_kinds, last_kind FROM Kinds;
    IF JSON_LENGTH(new_kinds) + known_kinds > 1000 THEN
      SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = 'There are 1,000 kinds already; a kind is a sort of work, not an id.';
    END IF;
    INSERT INTO Kinds (id, name)
      SELECT last_kind + position, name
      FROM JSON_TABLE(new_kinds, '$[*]' COLUMNS (
        position FOR ORDINALITY, name VARCHAR(65) CHARACTER SET ascii COLLATE ascii_bin PATH '$' ERROR ON ERROR
      )) AS unknown;
  END IF;
END //

-- Part of a create or a revival: puts its events behind those of the same key that are neither filled nor dead.
DROP PROCEDURE IF EXISTS insert_keys //
CREATE PROCEDURE insert_keys(IN last_id BIGINT UNSIGNED, IN how_many INT UNSIGNED)
BEGIN
  DECLARE locked BIGINT UNSIGNED;
  -- Whoever settles the first of a key has its row locked until the next is due, and then this one may be the first. Several
  -- are locked in the order of their keys, which needs a LIMIT.
  SELECT COUNT(*) INTO locked FROM (
    SELECT EventKeys.id FROM (
      -- FORCE INDEX: MySQL 9.7 would sort all of the key, for each new event.
      SELECT DISTINCT event_key, (
        SELECT id FROM EventKeys FORCE INDEX (PRIMARY) WHERE EventKeys.event_key = EventPayloads.event_key
        ORDER BY event_key, id LIMIT 1
      ) AS id
      FROM EventPayloads FORCE INDEX (PRIMARY) WHERE EventPayloads.id BETWEEN last_id + 1 AND last_id + how_many
      ORDER BY event_key LIMIT 1000000000
    ) AS heads
    STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY) ON EventKeys.event_key = heads.event_key AND EventKeys.id = heads.id
    FOR UPDATE /*!80000 OF EventKeys */
  ) AS heads_locked;
  INSERT INTO EventKeys (event_key, id, own_due_at)
    SELECT EventPayloads.event_key, Events.id, Events.due_at
    FROM EventPayloads FORCE INDEX (PRIMARY) STRAIGHT_JOIN Events ON Events.id = EventPayloads.id
    WHERE EventPayloads.id BETWEEN last_id + 1 AND last_id + how_many AND EventPayloads.event_key IS NOT NULL
    ON DUPLICATE KEY UPDATE own_due_at = Events.due_at; -- somebody killed it by hand, and nobody has looked since
  UPDATE EventPayloads FORCE INDEX (PRIMARY) STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = EventPayloads.id
    SET Events.due_at = '9999-12-31 00:00:00', Events.processing = 2
    WHERE EventPayloads.id BETWEEN last_id + 1 AND last_id + how_many AND EventPayloads.event_key IS NOT NULL
      -- Read with locks, as by any UPDATE of several tables: the first may be another by now than the one that was locked
      -- above. With EXISTS, MySQL would read a small table whole.
      AND (
        EventPayloads.id > (
          SELECT id FROM EventKeys FORCE INDEX (PRIMARY) WHERE EventKeys.event_key = EventPayloads.event_key
          ORDER BY event_key, id LIMIT 1
        ) OR last_id + how_many < (
          SELECT id FROM EventKeys FORCE INDEX (PRIMARY) WHERE EventKeys.event_key = EventPayloads.event_key
          ORDER BY event_key DESC, id DESC LIMIT 1
        )
      );
END //
-- Creates one event for each element of the JSON array, and answers the id of the first. The answer is selected before
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
  CALL insert_events(last_id - how_many, new_events);
  SELECT last_id - how_many + 1 AS first_id;
  COMMIT;
END //

-- Creates what was not created under its key before, for [{"key", "howMany", "events"}, …], each key once; without
-- "events" they are words. Answers [[key, first id, how many], …] for all. Nobody adds a key while DBStatus is locked.
DROP PROCEDURE IF EXISTS create_events_by_key //
CREATE PROCEDURE create_events_by_key(IN requests JSON)
BEGIN
  DECLARE last_id, new_last_id BIGINT UNSIGNED;
  DECLARE created, new_events LONGTEXT;
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
    SET new_events = CONCAT('[0', REPEAT(',0', new_last_id - last_id - 1), ']');
    IF JSON_CONTAINS_PATH(requests, 'one', '$[*].events') THEN
      SELECT CONCAT('[', GROUP_CONCAT(new_event ORDER BY first_id, position), ']') INTO new_events
        FROM JSON_TABLE(requests, '$[*]' COLUMNS (
          idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PATH '$.key',
          NESTED PATH '$.events[*]' COLUMNS (position FOR ORDINALITY, new_event JSON PATH '$')
        )) AS asked
        STRAIGHT_JOIN IdempotencyKeys USING (idempotency_key)
        WHERE first_id > last_id;
    END IF;
    CALL insert_events(last_id, new_events);
  END IF;
  SELECT created;
  COMMIT;
END //

-- Creates events of rows of the outbox and deletes these, for [{"outboxId", "kind", "payload", "key", "delayMs"}, …] in the
-- order of their ids; answers how many. What somebody else has moved or locked is left out.
DROP PROCEDURE IF EXISTS move_outbox //
CREATE PROCEDURE move_outbox(IN given JSON)
BEGIN
  DECLARE last_id BIGINT UNSIGNED;
  DECLARE how_many INT UNSIGNED;
  DECLARE found, new_events LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  -- First: whoever moves at the same time waits here, and finds what is left. So later rows never get earlier ids.
  SELECT id INTO last_id FROM DBStatus FOR UPDATE;
  IF last_id IS NULL THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The row of DBStatus is missing; load database/init.sql again.';
  END IF;
  SELECT JSON_ARRAYAGG(id), COUNT(*) INTO found, how_many FROM (
    SELECT Outbox.id FROM JSON_TABLE(given, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$.outboxId')) AS asked
    STRAIGHT_JOIN Outbox FORCE INDEX (PRIMARY) ON Outbox.id = asked.id
    WHERE Outbox.problem IS NULL
    LIMIT 10000 FOR UPDATE /*!80000 OF Outbox */ SKIP LOCKED
  ) AS locked;
  IF how_many > 0 THEN
    SET new_events = given;
    IF how_many < JSON_LENGTH(given) THEN
      SELECT CONCAT('[', GROUP_CONCAT(asked.new_event ORDER BY asked.position), ']') INTO new_events
        FROM JSON_TABLE(given, '$[*]' COLUMNS (
          position FOR ORDINALITY, id BIGINT UNSIGNED PATH '$.outboxId', new_event JSON PATH '$'
        )) AS asked
        STRAIGHT_JOIN JSON_TABLE(found, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS kept ON kept.id = asked.id;
    END IF;
    UPDATE DBStatus SET id = last_id + how_many;
    CALL insert_events(last_id, new_events);
    DELETE Outbox FROM JSON_TABLE(found, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS moved
      STRAIGHT_JOIN Outbox FORCE INDEX (PRIMARY) ON Outbox.id = moved.id;
  END IF;
  SELECT how_many AS moved;
  COMMIT;
END //

-- Says of a row of the outbox why no event can be made of it.
DROP PROCEDURE IF EXISTS put_outbox_aside //
CREATE PROCEDURE put_outbox_aside(IN outbox_id BIGINT UNSIGNED, IN why VARCHAR(255) CHARACTER SET utf8mb4)
BEGIN
  UPDATE Outbox SET problem = why WHERE id = outbox_id AND problem IS NULL;
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
    WHERE created_at <= UTC_TIMESTAMP(3) - INTERVAL older_than_ms * 1000 MICROSECOND
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

-- Forgets up to `row_limit` of the oldest lines of the log that are older than this, and answers how many.
DROP PROCEDURE IF EXISTS forget_log //
CREATE PROCEDURE forget_log(IN older_than_ms BIGINT UNSIGNED, IN row_limit INT UNSIGNED)
BEGIN
  DECLARE old_lines LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT JSON_ARRAYAGG(IF(ended_at <= UTC_TIMESTAMP(3) - INTERVAL older_than_ms * 1000 MICROSECOND, line, NULL)) INTO old_lines
    FROM (SELECT line, ended_at FROM EventLog FORCE INDEX (PRIMARY) ORDER BY line LIMIT row_limit FOR UPDATE SKIP LOCKED) AS oldest;
  DELETE EventLog FROM JSON_TABLE(old_lines, '$[*]' COLUMNS (line BIGINT UNSIGNED PATH '$')) AS chosen
    STRAIGHT_JOIN EventLog FORCE INDEX (PRIMARY) ON EventLog.line = chosen.line;
  SELECT ROW_COUNT() AS forgotten;
  COMMIT;
END //

-- Claims events of several kinds, for [{"kind", "limit", "maxFailures", "since", "log"}, …]. Answers for each in turn
-- [[id, attempt, failures, waits, created at in ms], …] or NULL, and what was said of those at their creation:
-- docs/sql-protocol.md.
DROP PROCEDURE IF EXISTS claim_events //
CREATE PROCEDURE claim_events(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN lease_ms INT UNSIGNED, IN requests JSON)
BEGIN
  DECLARE position INT UNSIGNED DEFAULT 0;
  DECLARE payload_room BIGINT UNSIGNED DEFAULT 8000000;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  WHILE position < JSON_LENGTH(requests) DO
    CALL claim_kind(consumer, lease_ms, JSON_EXTRACT(requests, CONCAT('$[', position, ']')), payload_room);
    SET position = position + 1;
  END WHILE;
  COMMIT;
END //

-- In a transaction of the caller: locks what claim_events would claim for this request, which has "since", and marks nothing.
DROP PROCEDURE IF EXISTS lock_events //
CREATE PROCEDURE lock_events(IN request JSON)
BEGIN
  DECLARE payload_room BIGINT UNSIGNED DEFAULT 8000000;
  CALL claim_kind('', NULL, request, payload_room);
END //

-- In such a transaction, for {"kind", "limit", "maxFailures", "payloadRoom", "after": [id, …], "nth"}: locks the next event of
-- each key whose nth is in "after". Answers as a claim of one kind. docs/design.md, "Many of a key".
DROP PROCEDURE IF EXISTS lock_next_events //
CREATE PROCEDURE lock_next_events(IN request JSON)
BEGIN
  DECLARE kind_id SMALLINT UNSIGNED;
  DECLARE nth INT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.nth');
  DECLARE before_nth INT UNSIGNED DEFAULT nth - 1;
  DECLARE after_nth INT UNSIGNED DEFAULT nth + 1;
  DECLARE row_limit INT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.limit');
  DECLARE max_failures INT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.maxFailures');
  DECLARE payload_room BIGINT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.payloadRoom');
  DECLARE nexts, claimed LONGTEXT;
  SELECT id INTO kind_id FROM Kinds WHERE name = JSON_UNQUOTE(JSON_EXTRACT(request, '$.kind')) AND paused = 0;
  -- Without a lock: a create waits for the first row of its key while it holds DBStatus. If another is the nth of the key
  -- now, an earlier event was revived, and must not be overtaken.
  SELECT JSON_ARRAYAGG(summed.id) INTO nexts FROM (
    SELECT found.id, SUM(payload_bytes) OVER (ORDER BY found.id) - payload_bytes AS bytes_before FROM (
      SELECT (
          SELECT IF(own_due_at <= UTC_TIMESTAMP(3), id, NULL) FROM EventKeys FORCE INDEX (PRIMARY)
          WHERE EventKeys.event_key = EventPayloads.event_key ORDER BY event_key, id LIMIT nth, 1
        ) AS id
      FROM JSON_TABLE(request, '$.after[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS given
      STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = given.id
      WHERE EventPayloads.id = (
        SELECT id FROM EventKeys FORCE INDEX (PRIMARY)
        WHERE EventKeys.event_key = EventPayloads.event_key ORDER BY event_key, id LIMIT before_nth, 1
      )
      LIMIT 10000
    ) AS found
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = found.id
  ) AS summed WHERE bytes_before < payload_room;
  IF nexts IS NOT NULL THEN
    SELECT JSON_ARRAYAGG(JSON_ARRAY(id, attempts + 1, failures, waits, created_ms)) INTO claimed FROM (
      SELECT Events.id, attempts, failures, waits,
        TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000 AS created_ms
      FROM JSON_TABLE(nexts, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS given
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
      WHERE Events.open = 1 AND Events.kind = kind_id AND Events.processing <> 1 AND Events.due_at = '9999-12-31 00:00:00'
        AND (failures + 1 < max_failures OR NOT last_error <=> 'its consumer died')
      LIMIT row_limit FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
    ) AS found;
  END IF;
  SELECT claimed;
  SELECT EventPayloads.id, event_key, payload, trace, (
      SELECT 1 FROM EventKeys FORCE INDEX (PRIMARY)
      WHERE EventKeys.event_key = EventPayloads.event_key ORDER BY event_key, id LIMIT after_nth, 1
    ) AS has_next
    FROM JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id;
END //

-- Part of a claim: one kind. Without a lease it only locks.
DROP PROCEDURE IF EXISTS claim_kind //
CREATE PROCEDURE claim_kind(
  IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN lease_ms INT UNSIGNED, IN request JSON,
  INOUT payload_room BIGINT UNSIGNED
)
BEGIN
  DECLARE kind_id SMALLINT UNSIGNED;
  DECLARE is_paused, looks_at_all, has_payloads, is_suspect BOOLEAN DEFAULT FALSE;
  DECLARE is_alone BOOLEAN DEFAULT JSON_CONTAINS_PATH(request, 'one', '$.alone');
  DECLARE max_failures INT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.maxFailures');
  DECLARE moment DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
  DECLARE since, first_due_at, last_due_at, lost_due_at DATETIME(3);
  DECLARE first_id, last_id, how_many BIGINT UNSIGNED;
  DECLARE row_limit INT UNSIGNED DEFAULT JSON_EXTRACT(request, '$.limit');
  DECLARE look_limit INT UNSIGNED DEFAULT row_limit + 100; -- others may have locked some
  DECLARE claimed, all_due LONGTEXT;

  SELECT id, paused, looked_at <= moment - INTERVAL 1 SECOND INTO kind_id, is_paused, looks_at_all
    FROM Kinds WHERE name = JSON_UNQUOTE(JSON_EXTRACT(request, '$.kind'));
  SET since = JSON_UNQUOTE(JSON_EXTRACT(request, '$.since'));
  IF lease_ms IS NULL THEN
    SET looks_at_all = FALSE; -- its transaction may be long, and others would wait for the row of Kinds
  ELSEIF looks_at_all THEN
    -- One look a second is enough for all consumers together. SKIP LOCKED: whoever has the row looks; and nobody waits here
    -- with rows of kinds that another, who has this one, asks for next.
    SELECT COUNT(*) INTO looks_at_all FROM Kinds FORCE INDEX (PRIMARY)
      WHERE id = kind_id AND looked_at <= moment - INTERVAL 1 SECOND
      FOR UPDATE SKIP LOCKED;
    UPDATE Kinds SET looked_at = moment WHERE id = kind_id AND looks_at_all;
  END IF;
  SET looks_at_all = lease_ms IS NOT NULL AND (looks_at_all OR since IS NULL);
  -- Where to begin, without a lock: a claim that stepped over what others hold would lock each of them for a moment. Not by
  -- SET, which would read with a lock.
  SELECT due_at, id, failures + 1 >= max_failures AND last_error <=> 'its consumer died'
    INTO first_due_at, first_id, is_suspect FROM Events FORCE INDEX (claim)
    WHERE kind = kind_id AND open = 1 AND due_at >= IF(looks_at_all, '1000-01-01', since) AND due_at <= moment AND processing <> 1
    ORDER BY kind, open, due_at, id LIMIT 1;
  IF looks_at_all THEN
    -- Few hold what lies behind both: it is found when the claims come there, and a backlog is not read whole.
    CALL take_back_events(kind_id, max_failures, JSON_CONTAINS_PATH(request, 'one', '$.log'),
      COALESCE(GREATEST(first_due_at, since), first_due_at, moment), COALESCE(first_id, ~0), lost_due_at);
    IF lost_due_at <= COALESCE(first_due_at, moment) THEN
      SELECT due_at, id, failures + 1 >= max_failures AND last_error <=> 'its consumer died'
        INTO first_due_at, first_id, is_suspect FROM Events FORCE INDEX (claim)
        WHERE kind = kind_id AND open = 1 AND due_at >= lost_due_at AND due_at <= moment AND processing <> 1
        ORDER BY kind, open, due_at, id LIMIT 1;
    END IF;
  END IF;

  IF lease_ms IS NULL AND NOT is_paused AND first_due_at IS NOT NULL THEN
    SELECT JSON_ARRAYAGG(id) INTO all_due FROM (
      SELECT id FROM Events FORCE INDEX (claim)
      WHERE kind = kind_id AND open = 1 AND processing <> 1
        AND (is_alone OR failures + 1 < max_failures OR NOT last_error <=> 'its consumer died')
        AND due_at >= first_due_at AND due_at <= moment
      ORDER BY kind, open, due_at, id LIMIT look_limit
    ) AS due;
  END IF;
  IF JSON_LENGTH(all_due) < look_limit THEN
    -- By id: the index would be locked up to the entry behind the last that is due, and that is often the next of another
    -- key, which nobody could make due before this transaction has ended.
    SELECT JSON_ARRAYAGG(JSON_ARRAY(id, attempts + 1, failures, waits, created_ms)), MAX(due_at), MIN(id), MAX(id), COUNT(*)
      INTO claimed, last_due_at, first_id, last_id, how_many
      FROM (
        SELECT Events.id, attempts, failures, waits, due_at,
          TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000 AS created_ms
        FROM JSON_TABLE(all_due, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS given
        STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
        WHERE Events.open = 1 AND Events.kind = kind_id AND Events.processing <> 1 AND Events.due_at <= moment
          AND (is_alone OR failures + 1 < max_failures OR NOT last_error <=> 'its consumer died')
        LIMIT row_limit FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
      ) AS due;
  ELSEIF NOT is_paused AND first_due_at IS NOT NULL THEN
    -- FORCE INDEX: LIMIT bounds the locks only in index order.
    SELECT JSON_ARRAYAGG(JSON_ARRAY(id, attempts + 1, failures, waits, created_ms)), MAX(due_at), MIN(id), MAX(id), COUNT(*)
      INTO claimed, last_due_at, first_id, last_id, how_many
      FROM (
        SELECT id, attempts, failures, waits, due_at,
          TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000 AS created_ms
        FROM Events FORCE INDEX (claim)
        WHERE kind = kind_id AND open = 1 AND processing <> 1
          AND (is_alone OR failures + 1 < max_failures OR NOT last_error <=> 'its consumer died')
          AND (due_at = first_due_at AND id >= first_id OR due_at > first_due_at AND due_at <= moment)
        ORDER BY kind, open, due_at, id LIMIT row_limit
        FOR UPDATE SKIP LOCKED
      ) AS due;
  END IF;
  IF claimed IS NOT NULL THEN
    SELECT COUNT(*) > 0 INTO has_payloads
      FROM (SELECT 1 FROM EventPayloads FORCE INDEX (PRIMARY) WHERE id BETWEEN first_id AND last_id LIMIT 1) AS found;
    IF has_payloads THEN
      CALL cut_claim(claimed, last_due_at, payload_room);
      SET how_many = 0; -- it may have been cut
    END IF;
    IF lease_ms IS NULL THEN
      BEGIN END; -- the locks are enough
    ELSEIF last_id - first_id + 1 = how_many THEN
      -- A run of ids is written as it is read, a list in a second pass: 2-4 µs a row. FORCE INDEX: MariaDB 10.11 would read
      -- a small table whole, and wait for rows that others hold.
      UPDATE Events FORCE INDEX (PRIMARY)
        SET processing = 1, claimed_by = consumer, attempts = attempts + 1,
          lease_until = UTC_TIMESTAMP(3) + INTERVAL lease_ms * 1000 MICROSECOND
        WHERE id BETWEEN first_id AND last_id;
    ELSE
      UPDATE JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
        STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
        SET Events.processing = 1, Events.claimed_by = consumer, Events.attempts = Events.attempts + 1,
          Events.lease_until = UTC_TIMESTAMP(3) + INTERVAL lease_ms * 1000 MICROSECOND;
    END IF;
  END IF;

  SELECT claimed, has_payloads, is_suspect AND NOT is_paused AS is_suspect, IF(is_paused, NULL, DATE_FORMAT(first_due_at, '%Y-%m-%d %T.%f')) AS due_since,
    DATE_FORMAT(LEAST(COALESCE(last_due_at, IF(row_limit = 0, first_due_at, NULL), moment), moment - INTERVAL 1 SECOND),
      '%Y-%m-%d %T.%f') AS next_since;
  IF has_payloads AND lease_ms IS NULL THEN
    -- Only who goes on with the next of a key asks for it.
    SELECT EventPayloads.id, event_key, payload, trace, (
        SELECT 1 FROM EventKeys FORCE INDEX (PRIMARY)
        WHERE EventKeys.event_key = EventPayloads.event_key ORDER BY event_key, id LIMIT 1, 1
      ) AS has_next
      FROM JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
      STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id;
  ELSEIF has_payloads THEN
    SELECT EventPayloads.id, event_key, payload, trace
      FROM JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
      STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id;
  END IF;
END //

-- Part of a claim: cuts the list where its payloads need more bytes than its other kinds have left of 8 MB, after the first
-- event at the earliest: no kind waits for others whose payloads are large.
DROP PROCEDURE IF EXISTS cut_claim //
CREATE PROCEDURE cut_claim(INOUT claimed LONGTEXT, INOUT last_due_at DATETIME(3), INOUT payload_room BIGINT UNSIGNED)
BEGIN
  DECLARE bytes BIGINT UNSIGNED;
  SELECT SUM(payload_bytes) INTO bytes
    FROM JSON_TABLE(claimed, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS chosen
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id;
  IF bytes > payload_room THEN
    SELECT JSON_ARRAYAGG(JSON_ARRAY(id, attempt, failures, waits, created_ms)), MAX(due_at) INTO claimed, last_due_at FROM (
      SELECT chosen.*, Events.due_at, SUM(COALESCE(payload_bytes, 0)) OVER (ORDER BY Events.due_at, Events.id) AS bytes_until_here,
        ROW_NUMBER() OVER (ORDER BY Events.due_at, Events.id) AS position
      FROM JSON_TABLE(claimed, '$[*]' COLUMNS (
        id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]',
        failures INT UNSIGNED PATH '$[2]', waits INT UNSIGNED PATH '$[3]', created_ms BIGINT PATH '$[4]'
      )) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
      LEFT JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id
    ) AS summed
    WHERE position = 1 OR bytes_until_here <= payload_room;
    SET payload_room = 0;
  ELSE
    SET payload_room = payload_room - COALESCE(bytes, 0);
  END IF;
END //

-- Part of a claim: counts a failure for each event due until then whose lease is over, and gives it back. With its attempts
-- spent it is dead: what ends each of its consumers would otherwise do so for ever.
DROP PROCEDURE IF EXISTS take_back_events //
CREATE PROCEDURE take_back_events(
  IN kind_id SMALLINT UNSIGNED, IN max_failures INT UNSIGNED, IN is_logged BOOLEAN, IN until DATETIME(3),
  IN until_id BIGINT UNSIGNED, OUT lost_due_at DATETIME(3)
)
BEGIN
  DECLARE lost LONGTEXT;
  DECLARE first_due_at DATETIME(3);
  SELECT JSON_ARRAYAGG(JSON_ARRAY(id)), MIN(due_at) INTO lost, first_due_at FROM (
    SELECT id, due_at FROM Events FORCE INDEX (claim)
    WHERE kind = kind_id AND open = 1 AND (due_at < until OR due_at = until AND id < until_id)
      AND processing = 1 AND lease_until <= UTC_TIMESTAMP(3)
    LIMIT 10000
  ) AS found;
  IF lost IS NOT NULL THEN
    SELECT JSON_ARRAYAGG(JSON_ARRAY(taken.id, is_dead, attempts, claimed_by, ended_at)) INTO lost FROM (
      SELECT Events.id, Events.failures + 1 >= max_failures AS is_dead, Events.attempts, Events.claimed_by,
        DATE_FORMAT(Events.lease_until, '%Y-%m-%d %T.%f') AS ended_at
      FROM JSON_TABLE(lost, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS given
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
      WHERE Events.open = 1 AND Events.processing = 1 AND Events.lease_until <= UTC_TIMESTAMP(3)
      LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
    ) AS taken;
  END IF;
  IF lost IS NOT NULL THEN
    UPDATE JSON_TABLE(lost, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', is_dead BOOLEAN PATH '$[1]')) AS taken
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = taken.id
      SET Events.failures = Events.failures + 1, Events.claimed_by = '', Events.lease_until = '2000-01-01 00:00:00',
        Events.processing = IF(taken.is_dead OR kind_id <> 1, 2, 0),
        Events.due_at = IF(taken.is_dead, NULL, IF(Events.due_at = '2000-01-01 00:00:00', Events.created_at, Events.due_at)),
        Events.last_error = IF(taken.is_dead, 'its consumers died', 'its consumer died');
    IF is_logged THEN
      INSERT INTO EventLog (id, attempt, ended_at, consumer, outcome, text)
        SELECT id, attempt, ended_at, consumer, 'lost', IF(is_dead, 'its consumers died', 'its consumer died')
        FROM JSON_TABLE(lost, '$[*]' COLUMNS (
          id BIGINT UNSIGNED PATH '$[0]', is_dead BOOLEAN PATH '$[1]', attempt INT UNSIGNED PATH '$[2]',
          consumer CHAR(48) CHARACTER SET ascii PATH '$[3]', ended_at DATETIME(3) PATH '$[4]'
        )) AS taken;
    END IF;
    SET lost_due_at = first_due_at;
    CALL pass_on_keys(lost);
  END IF;
END //

-- In a transaction: keeps of a list that begins with [[id, attempt, … what this consumer still holds, and locks it. So what is
-- written and what is logged are the same. What another connection has locked is passed over.
DROP PROCEDURE IF EXISTS keep_held //
CREATE PROCEDURE keep_held(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, INOUT claims LONGTEXT CHARACTER SET utf8mb4)
BEGIN
  SELECT COALESCE(CONCAT('[', GROUP_CONCAT(held.claim), ']'), '[]') INTO claims FROM (
    SELECT given.claim
    FROM JSON_TABLE(claims, '$[*]' COLUMNS (
      claim JSON PATH '$', id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]'
    )) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.open = 1 AND Events.processing = 1 AND Events.claimed_by = consumer AND Events.attempts = given.attempt
      AND Events.lease_until > UTC_TIMESTAMP(3)
    LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
  ) AS held;
END //

-- Part of the same: writes the lines of what is settled now. They are the sixth members, [outcome, ms from its start, text, key].
DROP PROCEDURE IF EXISTS log_settled //
CREATE PROCEDURE log_settled(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN claims JSON)
BEGIN
  INSERT INTO EventLog (id, attempt, started_at, ended_at, consumer, outcome, text, log_key)
    SELECT given.id, attempt, UTC_TIMESTAMP(3) - INTERVAL ms * 1000 MICROSECOND, UTC_TIMESTAMP(3), consumer, outcome, text, log_key
    FROM JSON_TABLE(claims, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', outcome VARCHAR(10) CHARACTER SET ascii PATH '$[5][0]',
      ms BIGINT UNSIGNED PATH '$[5][1]', text VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5][2]',
      log_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5][3]'
    )) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE given.outcome IS NOT NULL AND Events.attempts = given.attempt AND Events.processing <> 1;
END //

-- Fills those of [[id, attempt, value], …] that this consumer still holds, and answers how many. What another connection
-- has locked is passed over.
DROP PROCEDURE IF EXISTS fill_events //
CREATE PROCEDURE fill_events(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN fills JSON, IN has_keys BOOLEAN)
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL fill_held(consumer, fills, has_keys);
  COMMIT;
END //

-- The same within a transaction of the caller.
DROP PROCEDURE IF EXISTS fill_held //
CREATE PROCEDURE fill_held(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN fills JSON, IN has_keys BOOLEAN)
BEGIN
  DECLARE filled INT;
  DECLARE is_logged BOOLEAN DEFAULT JSON_CONTAINS_PATH(fills, 'one', '$[0][5]');
  IF is_logged THEN
    CALL keep_held(consumer, fills);
  END IF;
  -- FORCE INDEX: a small table would be read whole, with a wait for rows that others hold. LIMIT: without it MySQL merges the
  -- inner query into the outer one, which waits. MariaDB knows no OF.
  UPDATE (
    SELECT Events.id, given.valor
    FROM JSON_TABLE(fills, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', valor MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]'
    )) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.open = 1 AND Events.processing = 1 AND Events.claimed_by = consumer AND Events.attempts = given.attempt
      AND Events.lease_until > UTC_TIMESTAMP(3) AND given.valor <> ''
    LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
  ) AS held
  STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
  SET Events.valor = held.valor, Events.processing = 0, Events.filled_at = UTC_TIMESTAMP(3), Events.last_error = NULL;
  SET filled = ROW_COUNT();
  IF is_logged THEN
    CALL log_settled(consumer, fills);
  END IF;
  IF has_keys THEN
    CALL pass_on_keys(fills);
  END IF;
  SELECT filled AS written;
END //

-- Locks the row of an event that this consumer holds, in a transaction of the caller, and answers whether it does.
DROP PROCEDURE IF EXISTS lock_held //
CREATE PROCEDURE lock_held(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN event_id BIGINT UNSIGNED, IN attempt INT UNSIGNED)
BEGIN
  SELECT id FROM Events
    WHERE id = event_id AND open = 1 AND processing = 1 AND claimed_by = consumer AND attempts = attempt
      AND lease_until > UTC_TIMESTAMP(3)
    FOR UPDATE;
END //

-- The same for [[id, attempt], …]; answers those that it holds. What another connection has locked is passed over.
DROP PROCEDURE IF EXISTS lock_all_held //
CREATE PROCEDURE lock_all_held(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN claims LONGTEXT CHARACTER SET utf8mb4)
BEGIN
  CALL keep_held(consumer, claims);
  SELECT claims AS held;
END //

-- In a transaction of the caller that has locked them by lock_events or lock_next_events: fills [[id, attempt, value], …],
-- which nobody holds.
DROP PROCEDURE IF EXISTS fill_locked //
CREATE PROCEDURE fill_locked(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN fills JSON, IN has_keys BOOLEAN)
BEGIN
  DECLARE filled INT;
  UPDATE JSON_TABLE(fills, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', valor MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]'
    )) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    SET Events.valor = given.valor, Events.processing = 0, Events.claimed_by = consumer, Events.attempts = given.attempt,
      Events.filled_at = UTC_TIMESTAMP(3), Events.last_error = NULL,
      Events.due_at = LEAST(Events.due_at, UTC_TIMESTAMP(3)) -- it may have waited for its key until now
    WHERE Events.open = 1 AND Events.processing <> 1 AND Events.attempts = given.attempt - 1;
  SET filled = ROW_COUNT();
  IF JSON_CONTAINS_PATH(fills, 'one', '$[0][5]') THEN
    CALL log_settled(consumer, fills);
  END IF;
  IF has_keys THEN
    CALL pass_on_keys(fills);
  END IF;
  SELECT filled AS written;
END //

-- In such a transaction: gives back [[id, attempt, outcome, delay in ms, reason], …], as give_back_events does.
DROP PROCEDURE IF EXISTS give_back_locked //
CREATE PROCEDURE give_back_locked(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN outcomes JSON, IN has_keys BOOLEAN)
BEGIN
  -- Held for a moment, so that there is one way to give back.
  UPDATE JSON_TABLE(outcomes, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    SET Events.processing = 1, Events.claimed_by = consumer, Events.attempts = given.attempt,
      Events.lease_until = UTC_TIMESTAMP(3) + INTERVAL 1 MINUTE
    WHERE Events.open = 1 AND Events.processing <> 1 AND Events.attempts = given.attempt - 1;
  CALL give_back_held(consumer, outcomes, has_keys);
END //

-- Gives back those of [[id, attempt, outcome, delay in ms, reason], …] that this consumer still holds, and answers how many.
-- The outcome is 'failed' or 'refused', which count, 'later' or 'released'. Without a delay the event is dead.
DROP PROCEDURE IF EXISTS give_back_events //
CREATE PROCEDURE give_back_events(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN outcomes JSON, IN has_keys BOOLEAN)
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL give_back_held(consumer, outcomes, has_keys);
  COMMIT;
END //

-- The same within a transaction of the caller.
DROP PROCEDURE IF EXISTS give_back_held //
CREATE PROCEDURE give_back_held(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN outcomes JSON, IN has_keys BOOLEAN)
BEGIN
  DECLARE given_back INT;
  DECLARE is_logged BOOLEAN DEFAULT JSON_CONTAINS_PATH(outcomes, 'one', '$[0][5]');
  IF is_logged THEN
    CALL keep_held(consumer, outcomes);
  END IF;
  UPDATE (
    SELECT Events.id, given.outcome, given.delay_ms, given.reason
    FROM JSON_TABLE(outcomes, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]', outcome VARCHAR(10) PATH '$[2]',
      delay_ms BIGINT UNSIGNED PATH '$[3]', reason VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]'
    )) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.open = 1 AND Events.processing = 1 AND Events.claimed_by = consumer AND Events.attempts = given.attempt
      AND Events.lease_until > UTC_TIMESTAMP(3)
    LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
  ) AS held
  STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
  SET Events.processing = IF(held.delay_ms IS NULL OR Events.kind <> 1, 2, 0), Events.claimed_by = '',
    Events.lease_until = '2000-01-01 00:00:00',
    Events.due_at = CASE
      WHEN held.delay_ms IS NULL THEN NULL
      WHEN held.outcome = 'later' AND Events.due_at = '2000-01-01 00:00:00' THEN UTC_TIMESTAMP(3) -- wake_event
      ELSE UTC_TIMESTAMP(3) + INTERVAL held.delay_ms * 1000 MICROSECOND
    END,
    Events.failures = Events.failures + (held.outcome IN ('failed', 'refused')),
    Events.waits = Events.waits + (held.outcome = 'later'),
    Events.last_error = COALESCE(held.reason, Events.last_error),
    Events.dead_reason = IF(held.outcome = 'refused', held.reason, NULL);
  SET given_back = ROW_COUNT();
  IF is_logged THEN
    CALL log_settled(consumer, outcomes);
  END IF;
  IF has_keys THEN
    CALL pass_on_keys(outcomes);
  END IF;
  SELECT given_back AS written;
END //

-- In a transaction of anybody's: makes the first event of this key due if it is of this kind. A due_at of 2000 says that a
-- held one was woken: a `later` does not delay it.
DROP PROCEDURE IF EXISTS wake_event //
CREATE PROCEDURE wake_event(
  IN kind_name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin, IN the_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
)
BEGIN
  DECLARE kind_id SMALLINT UNSIGNED;
  DECLARE first_id BIGINT UNSIGNED;
  SELECT id INTO kind_id FROM Kinds WHERE name = kind_name;
  -- Without a lock: a create waits for the first row of its key while it holds DBStatus.
  SELECT id INTO first_id FROM EventKeys FORCE INDEX (PRIMARY)
    WHERE EventKeys.event_key = the_key ORDER BY event_key, id LIMIT 1;
  -- It waits for whoever has the row, and sees what became of the event.
  UPDATE Events FORCE INDEX (PRIMARY)
    SET due_at = IF(processing = 1, '2000-01-01 00:00:00', LEAST(due_at, UTC_TIMESTAMP(3)))
    WHERE id = first_id AND kind = kind_id AND open = 1 AND due_at < '9999-12-31 00:00:00';
END //

-- Renews the lease of those of [[id, attempt], …] that this consumer still holds, and answers how many.
DROP PROCEDURE IF EXISTS renew_events //
CREATE PROCEDURE renew_events(IN consumer CHAR(48) CHARACTER SET ascii COLLATE ascii_bin, IN claims JSON, IN lease_ms INT UNSIGNED)
BEGIN
  UPDATE (
    SELECT Events.id
    FROM JSON_TABLE(claims, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS given
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = given.id
    WHERE Events.open = 1 AND Events.processing = 1 AND Events.claimed_by = consumer AND Events.attempts = given.attempt
      AND Events.lease_until > UTC_TIMESTAMP(3)
    LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
  ) AS held
  STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = held.id
  SET Events.lease_until = UTC_TIMESTAMP(3) + INTERVAL lease_ms * 1000 MICROSECOND;
  SELECT ROW_COUNT() AS written;
END //

-- Hands on the keys of those of [[id, …], …] that are settled, in the transaction that fills or buries them.
DROP PROCEDURE IF EXISTS pass_on_keys //
CREATE PROCEDURE pass_on_keys(IN settled JSON)
BEGIN
  DECLARE freed LONGTEXT;
  SELECT JSON_ARRAYAGG(JSON_ARRAY(EventKeys.id, EventKeys.event_key)) INTO freed
    FROM JSON_TABLE(settled, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]')) AS given
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = given.id
    STRAIGHT_JOIN EventKeys ON EventKeys.event_key = EventPayloads.event_key AND EventKeys.id = EventPayloads.id
    STRAIGHT_JOIN Events ON Events.id = EventKeys.id
    WHERE Events.open IS NULL;
  IF freed IS NOT NULL THEN
    CALL free_keys(freed);
  END IF;
END //

-- Forgets [[id, key], …], of which no event runs, and makes the next of each key due. An id may be NULL.
DROP PROCEDURE IF EXISTS free_keys //
CREATE PROCEDURE free_keys(IN freed JSON)
BEGIN
  DECLARE next_ids LONGTEXT;
  DELETE EventKeys FROM (
      SELECT id, event_key FROM JSON_TABLE(freed, '$[*]' COLUMNS (
        id BIGINT UNSIGNED PATH '$[0]', event_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]'
      )) AS listed
      ORDER BY event_key, id LIMIT 1000000000 -- the order in which a create locks them
    ) AS given
    STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY) ON EventKeys.event_key = given.event_key AND EventKeys.id = given.id;
  -- Without a lock: a create that counts on us had locked what we have just deleted, and has ended; others wait for us. A
  -- lock would wait for creates that hold rows which are gone, and they wait for us.
  SELECT JSON_ARRAYAGG(nexts.id) INTO next_ids FROM (
    SELECT DISTINCT (
      SELECT id FROM EventKeys FORCE INDEX (PRIMARY) WHERE EventKeys.event_key = given.event_key
      ORDER BY event_key, id LIMIT 1
    ) AS id
    FROM JSON_TABLE(freed, '$[*]' COLUMNS (
      event_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]'
    )) AS given
  ) AS nexts WHERE nexts.id IS NOT NULL;
  IF next_ids IS NOT NULL THEN
    UPDATE JSON_TABLE(next_ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS nexts
      STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = nexts.id
      STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY)
        ON EventKeys.event_key = EventPayloads.event_key AND EventKeys.id = nexts.id
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = nexts.id
      SET Events.due_at = GREATEST(EventKeys.own_due_at, UTC_TIMESTAMP(3)), Events.processing = IF(Events.kind = 1, 0, 2)
      WHERE Events.open = 1 AND Events.due_at = '9999-12-31 00:00:00';
  END IF;
END //

-- Hands on the keys whose first event a client that knows no keys has settled or deleted. One look in 9 s for all consumers
-- together: what happens is noticed within 10. Answers how long until the next.
DROP PROCEDURE IF EXISTS look_at_keys //
CREATE PROCEDURE look_at_keys()
BEGIN
  DECLARE moment DATETIME(3) DEFAULT UTC_TIMESTAMP(3);
  DECLARE locked INT UNSIGNED;
  DECLARE heads, freed LONGTEXT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  UPDATE Installation SET keys_looked_at = moment WHERE keys_looked_at <= moment - INTERVAL 9 SECOND;
  IF ROW_COUNT() > 0 THEN
    -- The server steps from key to key, however many wait behind its first event. Without the keys, whose texts made it
    -- take twice as long.
    SELECT JSON_ARRAYAGG(JSON_ARRAY(found.id, found.event_key)) INTO heads FROM (
      SELECT heads.id, COALESCE(event_key, (SELECT event_key FROM EventKeys WHERE EventKeys.id = heads.id)) AS event_key
      FROM (SELECT MIN(id) AS id FROM EventKeys FORCE INDEX (PRIMARY) GROUP BY event_key) AS heads
      LEFT JOIN Events FORCE INDEX (PRIMARY) ON Events.id = heads.id
      LEFT JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = heads.id
      WHERE Events.open IS NULL OR Events.due_at >= '9999-12-31'
      LIMIT 10000
    ) AS found;
    IF heads IS NOT NULL THEN
      START TRANSACTION;
      -- No revival meanwhile: it would not see which event we make due.
      SELECT COUNT(*) INTO locked FROM DBStatus FOR UPDATE;
      CALL find_freed_keys(heads, freed);
      IF freed IS NOT NULL THEN
        CALL free_keys(freed);
      END IF;
      COMMIT;
    END IF;
  END IF;
  SELECT GREATEST(0, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(3), keys_looked_at + INTERVAL 9 SECOND) DIV 1000) AS next_ms
    FROM Installation;
END //

-- Part of a look: of the keys of [[first id, key], …] of which no event runs, what may be forgotten.
DROP PROCEDURE IF EXISTS find_freed_keys //
CREATE PROCEDURE find_freed_keys(IN heads JSON, OUT freed LONGTEXT)
BEGIN
  DECLARE locked LONGTEXT;
  -- Whoever adds to a key or hands it on has its first row locked, and sees to it.
  SELECT JSON_ARRAYAGG(JSON_ARRAY(found.id, found.event_key)) INTO locked FROM (
    SELECT EventKeys.id, EventKeys.event_key
    FROM JSON_TABLE(heads, '$[*]' COLUMNS (
      id BIGINT UNSIGNED PATH '$[0]', event_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]'
    )) AS given
    STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY) ON EventKeys.event_key = given.event_key AND EventKeys.id = given.id
    LIMIT 10000 FOR UPDATE /*!80000 OF EventKeys */ SKIP LOCKED
  ) AS found;
  -- A revived one waits at the head while a later one is held.
  SELECT JSON_ARRAYAGG(JSON_ARRAY(IF(EventKeys.id = first_open, NULL, EventKeys.id), EventKeys.event_key)) INTO freed
    FROM (
      SELECT given.event_key, (
          SELECT EventKeys.id FROM EventKeys FORCE INDEX (PRIMARY)
          STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = EventKeys.id
          WHERE EventKeys.event_key = given.event_key AND Events.open = 1
          ORDER BY EventKeys.event_key, EventKeys.id LIMIT 1
        ) AS first_open
      FROM JSON_TABLE(locked, '$[*]' COLUMNS (
        id BIGINT UNSIGNED PATH '$[0]', event_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]'
      )) AS given
      WHERE ( -- not NOT EXISTS, for which MariaDB reads the events of all keys
        SELECT EventKeys.id FROM EventKeys FORCE INDEX (PRIMARY)
        STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = EventKeys.id
        WHERE EventKeys.event_key = given.event_key AND Events.open = 1 AND Events.due_at < '9999-12-31'
        ORDER BY EventKeys.event_key, EventKeys.id LIMIT 1
      ) IS NULL
      LIMIT 10000
    ) AS stuck
    STRAIGHT_JOIN EventKeys FORCE INDEX (PRIMARY)
      ON EventKeys.event_key = stuck.event_key AND EventKeys.id <= COALESCE(first_open, ~0);
END //

-- Raises a counter that stayed behind the newest event, as a client leaves it that inserts before it raises.
DROP PROCEDURE IF EXISTS raise_counter //
CREATE PROCEDURE raise_counter()
BEGIN
  UPDATE DBStatus SET id = GREATEST(id, (SELECT COALESCE(MAX(id), 0) FROM Events));
END //

-- Makes those of [id, …] that are dead due at once, with all attempts before them, and answers which; and which are left
-- out since a later event of their key is filled or deleted, unless that is asked for.
DROP PROCEDURE IF EXISTS revive_events //
CREATE PROCEDURE revive_events(IN ids JSON, IN out_of_order BOOLEAN)
BEGIN
  DECLARE dead, late LONGTEXT;
  DECLARE keyed_id BIGINT UNSIGNED;
  DECLARE is_last, has_keys BOOLEAN DEFAULT FALSE;
  DECLARE keyed CURSOR FOR
    SELECT EventPayloads.id FROM JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id
    WHERE event_key IS NOT NULL ORDER BY event_key, EventPayloads.id; -- as all who lock several keys
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET is_last = TRUE;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  SELECT COUNT(*) > 0 INTO has_keys FROM JSON_TABLE(ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
    STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id WHERE event_key IS NOT NULL;
  IF has_keys THEN
    -- Nobody else adds to a key meanwhile: two that find it empty would both be due.
    SELECT COUNT(*) > 0 INTO has_keys FROM DBStatus FOR UPDATE;
  END IF;
  -- SKIP LOCKED: one that somebody else has locked holds up no other.
  SELECT JSON_ARRAYAGG(found.id) INTO dead FROM (
    SELECT Events.id FROM JSON_TABLE(ids, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
    STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
    WHERE Events.due_at IS NULL AND (Events.valor IS NULL OR Events.valor = '')
    LIMIT 10000 FOR UPDATE /*!80000 OF Events */ SKIP LOCKED
  ) AS found;
  IF dead IS NOT NULL AND has_keys AND NOT out_of_order THEN
    CALL leave_out_late(dead, late);
  END IF;
  IF dead IS NOT NULL THEN
    UPDATE JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = chosen.id
      SET Events.due_at = UTC_TIMESTAMP(3), Events.failures = 0, Events.dead_reason = NULL, Events.claimed_by = '',
        Events.processing = IF(Events.kind = 1, 0, 2);
    OPEN keyed;
    each_keyed: LOOP
      FETCH keyed INTO keyed_id;
      IF is_last THEN LEAVE each_keyed; END IF;
      CALL insert_keys(keyed_id - 1, 1);
      CALL put_in_front(keyed_id);
    END LOOP;
    CLOSE keyed;
  END IF;
  SELECT dead AS revived, late AS out_of_order;
  COMMIT;
END //

-- Part of a revival: takes those out of the list of which a later event of the same key is filled or deleted. A dead one may
-- still come after them.
DROP PROCEDURE IF EXISTS leave_out_late //
CREATE PROCEDURE leave_out_late(INOUT dead LONGTEXT, OUT late LONGTEXT)
BEGIN
  SELECT CONCAT('[', GROUP_CONCAT(IF(last_id > id, NULL, id)), ']'), CONCAT('[', GROUP_CONCAT(IF(last_id > id, id, NULL)), ']')
    INTO dead, late
    FROM (
      SELECT chosen.id, last_id
      FROM JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
      LEFT JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id
      LEFT JOIN (
        -- Once for each key: there may be 100,000 that wait behind.
        SELECT event_key, (
            SELECT later.id FROM EventPayloads AS later FORCE INDEX (by_key)
            LEFT JOIN Events FORCE INDEX (PRIMARY) ON Events.id = later.id
            WHERE later.event_key = given.event_key AND (Events.id IS NULL OR Events.valor <> '')
            ORDER BY later.event_key DESC, later.id DESC LIMIT 1
          ) AS last_id
        FROM (
          SELECT DISTINCT event_key FROM JSON_TABLE(dead, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS chosen
          STRAIGHT_JOIN EventPayloads FORCE INDEX (PRIMARY) ON EventPayloads.id = chosen.id WHERE event_key IS NOT NULL
        ) AS given
        LIMIT 10000 -- merged into the outer query, MariaDB 10.11 does not find given.event_key at the second call
      ) AS lasts ON lasts.event_key = EventPayloads.event_key
    ) AS found;
END //

-- Part of a revival: lets an event that waits for later ones of its key go before them, unless one of them is held. A row
-- that is locked counts as held: its owner may wait for us.
DROP PROCEDURE IF EXISTS put_in_front //
CREATE PROCEDURE put_in_front(IN revived_id BIGINT UNSIGNED)
BEGIN
  DECLARE its_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  DECLARE first_id, running_id BIGINT UNSIGNED;
  DECLARE is_free BOOLEAN DEFAULT TRUE;
  SELECT event_key INTO its_key FROM EventPayloads WHERE id = revived_id;
  SELECT MIN(id) INTO first_id FROM EventKeys FORCE INDEX (PRIMARY) WHERE event_key = its_key;
  IF first_id = revived_id THEN
    SELECT (
      SELECT Events.id FROM EventKeys FORCE INDEX (PRIMARY)
      STRAIGHT_JOIN Events FORCE INDEX (PRIMARY) ON Events.id = EventKeys.id
      WHERE EventKeys.event_key = its_key AND Events.open = 1 AND Events.due_at < '9999-12-31'
      ORDER BY EventKeys.event_key, EventKeys.id LIMIT 1
    ) INTO running_id;
    IF running_id <> revived_id THEN
      SELECT COUNT(*) INTO is_free FROM Events FORCE INDEX (PRIMARY)
        WHERE id = running_id AND open = 1 AND processing <> 1 AND due_at < '9999-12-31'
        FOR UPDATE SKIP LOCKED;
      IF is_free THEN
        UPDATE EventKeys SET own_due_at = (SELECT due_at FROM Events WHERE id = running_id)
          WHERE event_key = its_key AND id = running_id;
        UPDATE Events SET due_at = '9999-12-31 00:00:00', processing = 2 WHERE id = running_id;
      END IF;
    END IF;
    IF is_free THEN
      UPDATE Events SET due_at = UTC_TIMESTAMP(3), processing = IF(kind = 1, 0, 2)
        WHERE id = revived_id AND due_at = '9999-12-31 00:00:00';
    END IF;
  END IF;
END //

DELIMITER ;

-- Last, so that tables which were loaded halfway have no version.
INSERT INTO Installation (version) VALUES (2) ON DUPLICATE KEY UPDATE version = 2;
