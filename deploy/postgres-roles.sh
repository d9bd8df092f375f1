#!/bin/sh
# Runs once, when the database is made: the application's role reads and writes rows, and owns nothing.
# Of the audit trail it reads and adds rows only: the migration that makes its triggers (access 0005)
# takes UPDATE and DELETE away again, from every role but the owner. It sees the statistics of all
# sessions, which the page of the database shows.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat "${DATABASE_PASSWORD_FILE:-/run/secrets/database_password}")" <<'SQL'
CREATE ROLE switchyard LOGIN PASSWORD :'password';
ALTER ROLE switchyard SET statement_timeout = '30s';
ALTER ROLE switchyard SET idle_in_transaction_session_timeout = '60s';
GRANT USAGE ON SCHEMA public TO switchyard;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO switchyard;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO switchyard;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
GRANT pg_monitor TO switchyard;
SQL
