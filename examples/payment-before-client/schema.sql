CREATE TABLE IF NOT EXISTS clients (
  id BIGINT UNSIGNED PRIMARY KEY,
  name VARCHAR(100) NOT NULL,
  registered_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);
CREATE TABLE IF NOT EXISTS client_payments (
  id CHAR(36) PRIMARY KEY,
  client_id BIGINT UNSIGNED NOT NULL,
  value DECIMAL(12, 2) NOT NULL,
  operation_date DATE NOT NULL,
  looks INT NOT NULL, -- how often its client was looked for
  processed_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);
GRANT SELECT, INSERT ON clients TO 'consumer'@'%';
GRANT SELECT, INSERT ON client_payments TO 'consumer'@'%';
