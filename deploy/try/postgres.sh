#!/bin/sh
# The part of the official image's entry point that docker-compose.yml uses: a first start makes
# the database of POSTGRES_DB with the password in POSTGRES_PASSWORD_FILE.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086 (several options)
    initdb --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    postgres --single -D "$PGDATA" postgres >/dev/null <<SQL
CREATE DATABASE "$POSTGRES_DB"
SQL
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
