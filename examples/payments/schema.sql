CREATE TABLE IF NOT EXISTS payments (
  correlation_id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
  processor ENUM('default', 'fallback') NOT NULL,
  cents BIGINT UNSIGNED NOT NULL,
  requested_at DATETIME(3) NOT NULL, -- as the processor that was paid got it
  KEY summary (requested_at, processor, cents)
);
CREATE TABLE IF NOT EXISTS processor_health (
  processor ENUM('default', 'fallback') PRIMARY KEY,
  asked_at DATETIME(3) NOT NULL DEFAULT '1970-01-01',
  failing BOOLEAN NOT NULL DEFAULT FALSE,
  min_response_ms INT NOT NULL DEFAULT 0
);
INSERT IGNORE INTO processor_health (processor) VALUES ('default'), ('fallback');
GRANT SELECT, DELETE ON payments TO 'producer'@'%';
GRANT SELECT, INSERT ON payments TO 'consumer'@'%';
GRANT SELECT, UPDATE ON processor_health TO 'consumer'@'%';
