-- What the rows of version 1, and those of a course system, mean in version 2. It runs after the tables have their new
-- columns, and before init.sql. Each statement may be repeated.

-- Version 1 kept the end of a lease in due_at. Who holds a row without having counted an attempt knows no leases.
UPDATE Events FORCE INDEX (claim)
  SET failures = IF(last_error IS NULL, 0, GREATEST(attempts, 1) - (processing = 1)),
    lease_until = IF(processing <> 1, lease_until, IF(attempts = 0, UTC_TIMESTAMP(3) + INTERVAL 60 SECOND, due_at)),
    due_at = IF(processing = 1, created_at, due_at)
  WHERE kind = 1 AND open = 1 AND lease_until = '2000-01-01' AND failures = 0
    AND (processing = 1 OR last_error IS NOT NULL);

-- The trigger of version 1 says 0 of the dead. init.sql makes the new one a moment later.
DROP TRIGGER IF EXISTS keep_filled_and_lease;
UPDATE Events FORCE INDEX (claim)
  SET processing = 2, failures = attempts
  WHERE kind = 1 AND open IS NULL AND due_at IS NULL AND (valor IS NULL OR valor = '')
    AND (processing <> 2 OR failures = 0 AND attempts > 0);

-- A flag of a course system may have any number. Here 1 is held, and others are not.
UPDATE Events FORCE INDEX (claim) SET processing = 0
  WHERE kind = 1 AND open = 1 AND due_at < '9999-01-01' AND processing > 1;

DROP PROCEDURE IF EXISTS create_events_once;
DROP PROCEDURE IF EXISTS try_lock;
DROP PROCEDURE IF EXISTS reshape_table;
