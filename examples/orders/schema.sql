-- Each system has a database of its own. A transaction may span the databases of one server: so rows of ours, and of the
-- outbox, are committed together.
CREATE DATABASE IF NOT EXISTS orders_system_1;
CREATE DATABASE IF NOT EXISTS orders_system_2;
CREATE TABLE IF NOT EXISTS orders_system_1.orders (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  product VARCHAR(100) NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)),
  security_check BOOLEAN NOT NULL
);
CREATE TABLE IF NOT EXISTS orders_system_1.process (
  id TINYINT PRIMARY KEY, -- there is one row
  last_id BIGINT UNSIGNED NOT NULL DEFAULT 0, -- the cursor: orders up to here are queued
  status ENUM('READY', 'ERROR') NOT NULL DEFAULT 'READY'
);
CREATE TABLE IF NOT EXISTS orders_system_2.orders LIKE orders_system_1.orders;
CREATE TABLE IF NOT EXISTS orders_system_2.process LIKE orders_system_1.process;
INSERT IGNORE INTO orders_system_1.process (id) VALUES (1);
INSERT IGNORE INTO orders_system_2.process (id) VALUES (1);
CREATE TABLE IF NOT EXISTS endput_orders (
  message_id CHAR(36) CHARACTER SET ascii PRIMARY KEY,
  origin_system TINYINT NOT NULL, -- whose order it was
  product VARCHAR(100) NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  processed_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3))
);
GRANT SELECT, INSERT ON orders_system_1.orders TO 'producer'@'%';
GRANT SELECT, INSERT ON orders_system_2.orders TO 'producer'@'%';
GRANT SELECT, UPDATE ON orders_system_1.process TO 'producer'@'%';
GRANT SELECT, UPDATE ON orders_system_2.process TO 'producer'@'%';
GRANT INSERT ON endput_orders TO 'consumer'@'%';
