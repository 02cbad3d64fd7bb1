-- A private server runs this at each start, before it listens on 127.0.0.1: one statement a line, as --init-file wants it.
-- Nothing of it goes to the binary log, where it would be a transaction that no replica has.
SET SESSION sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS messages CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'user'@'%' IDENTIFIED BY 'password';
CREATE USER IF NOT EXISTS 'producer'@'%' IDENTIFIED BY 'password';
CREATE USER IF NOT EXISTS 'consumer'@'%' IDENTIFIED BY 'password';
GRANT ALL PRIVILEGES ON *.* TO 'user'@'%' WITH GRANT OPTION;
