-- Run by a private server each time it starts, before it listens: the account and the database of the default
-- DATABASE_URL. One statement a line, as --init-file wants it. The server listens on 127.0.0.1 only.
CREATE DATABASE IF NOT EXISTS messages CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'user'@'%' IDENTIFIED BY 'password';
GRANT ALL PRIVILEGES ON *.* TO 'user'@'%';
