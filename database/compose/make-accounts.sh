#!/bin/bash
# Run by the mysql image when it makes the database, after init.sql and before accounts.sql: the accounts of the
# processes, with the passwords of docker compose's secrets. The image runs or sources it, as its file mode says.
set -eo pipefail
for account in producer consumer; do
  password=$(sed "s/[\\\\']/\\\\&/g" "${SECRETS:-/run/secrets}/$account-password")
  MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql -u root <<<"CREATE USER '$account'@'%' IDENTIFIED BY '$password';"
done
