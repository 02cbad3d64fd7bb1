-- Run by a private server each time it starts, before it listens: the database and the account of the default
-- DATABASE_URL, which sets everything up, and the two accounts of the processes, whose rights are in accounts.sql.
-- One statement a line, as --init-file wants it. The server listens on 127.0.0.1 only. Nothing of it is for the binary log:
-- it is made again at each start, as a transaction of this server's own that no replica has.
SET SESSION sql_log_bin = 0;
CREATE DATABASE IF NOT EXISTS messages CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'user'@'%' IDENTIFIED BY 'password';
CREATE USER IF NOT EXISTS 'producer'@'%' IDENTIFIED BY 'password';
CREATE USER IF NOT EXISTS 'consumer'@'%' IDENTIFIED BY 'password';
GRANT ALL PRIVILEGES ON *.* TO 'user'@'%' WITH GRANT OPTION;
