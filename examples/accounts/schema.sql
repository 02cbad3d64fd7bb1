CREATE TABLE IF NOT EXISTS accounts (
  id INT UNSIGNED PRIMARY KEY,
  credit_limit BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS account_events (
  account_id INT UNSIGNED NOT NULL,
  seq BIGINT NOT NULL, -- 1, 2, 3 … in each account
  amount BIGINT NOT NULL, -- cents
  type CHAR(1) NOT NULL, -- c or d
  description VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  occurred_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  balance BIGINT NOT NULL, -- after it
  PRIMARY KEY (account_id, seq)
);
CREATE TABLE IF NOT EXISTS account_snapshots (
  account_id INT UNSIGNED NOT NULL,
  seq BIGINT NOT NULL,
  balance BIGINT NOT NULL,
  PRIMARY KEY (account_id, seq)
);
INSERT IGNORE INTO accounts (id, credit_limit) VALUES (1, 100000), (2, 80000), (3, 1000000), (4, 10000000), (5, 500000);
-- Nothing is granted: the processes are 'user' here. As they create and handle events, an account for them needs the rights
-- of 'producer' and 'consumer' both, SELECT on these tables, and INSERT on all but accounts.
