#!/bin/sh
# Copies the primary once, and follows it. PRIMARY says how to connect to it, PGDATA where the copy is. Options are those
# of `postgres`.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # The copy gets its name when it is complete. One that was broken off is made again.
    rm -rf "$PGDATA.part"
    mkdir -p "$PGDATA.part"
    chmod 0700 "$PGDATA.part"
    pg_basebackup --pgdata="$PGDATA.part" --dbname="$PRIMARY" --write-recovery-conf --checkpoint=fast
    rm -rf "$PGDATA"
    mv "$PGDATA.part" "$PGDATA"
fi
exec postgres "$@"
