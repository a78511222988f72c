#!/usr/bin/env bash
# What users of the official postgres image rely on, and no more: its variables (POSTGRES_PASSWORD,
# _USER, _DB, _INITDB_ARGS, _HOST_AUTH_METHOD, each also as …_FILE), the first start's scripts in
# /docker-entrypoint-initdb.d, and any other command run as it is.
set -Eeo pipefail

# Sets a variable from the file that its …_FILE names, or to its default.
setting() {
    local name=$1 file=$1_FILE
    [ -z "${!name:-}" ] || [ -z "${!file:-}" ] || { echo "error: both $name and $file are set" >&2; exit 1; }
    if [ -n "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
    if [ -z "${!name:-}" ]; then export "$name=${2:-}"; fi
    unset "$file"
}

prepare_folders() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || true
    [ "$(id -u)" != 0 ] || find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
}

require_password() {
    [ -z "$POSTGRES_PASSWORD" ] || return 0
    [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ] || return 0
    echo "Error: no password is given: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust" >&2
    exit 1
}

query() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" \
        --no-password "$@"
}

create_cluster() {
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD")' \
        "$POSTGRES_INITDB_ARGS"
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_scripts() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "$0: $file"
        # shellcheck source=/dev/null
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) query -d "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | query -d "$POSTGRES_DB" ;;
            *.sql.xz) xzcat "$file" | query -d "$POSTGRES_DB" ;;
            *.sql.zst) zstd -dc "$file" | query -d "$POSTGRES_DB" ;;
        esac
    done
}

# The scripts see a server that has the final one's options, and that nobody else can reach.
first_start() {
    create_cluster
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
    [ "$POSTGRES_DB" = postgres ] ||
        query -d postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db"'
    run_scripts
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
if [ "$1" = postgres ]; then
    prepare_folders
    [ "$(id -u)" != 0 ] || exec gosu postgres "$0" "$@"
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        require_password
        first_start "${@:2}"
    fi
fi
exec "$@"
