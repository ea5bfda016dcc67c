"""Attempts to write to the mirror that one engine has: its statements, its locks, and ways to reopen a session."""

from __future__ import annotations

from uuid import uuid4

from django.db import connections, transaction

from databases.mirror.tests.mirror_attempts import (
    INSERT,
    ORM,
    RAW,
    USING,
    Attempt,
    after_a_lost_connection,
    in_a_transaction,
    in_one_string,
    raw,
    server_side_cursor,
    through_the_driver,
)
from databases.mirror.tests.people.models import Organisation

SET_SEQUENCE = "SELECT setval(pg_get_serial_sequence('layer_people_organisation', 'id'), 1000)"


def locked_rows() -> None:
    with transaction.atomic(using="mirror"):
        list(Organisation.objects.using("mirror").select_for_update())


def into_a_file() -> None:
    with connections["mirror"].cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        (folder,) = cursor.fetchone()
        cursor.execute(f"SELECT name FROM layer_people_organisation INTO/**/OUTFILE '{folder}/{uuid4().hex}'")


#: Attempts by engine. An attempt that makes the session writable then writes.
OF_ENGINE: dict[str, dict[str, Attempt]] = {
    "postgresql": {
        "after the connection was lost": after_a_lost_connection,
        "two statements in one string": in_one_string(f"SELECT 1; {INSERT}"),
        "`WITH … INSERT`": raw(f"WITH new AS ({INSERT} RETURNING id) SELECT * FROM new"),
        "`EXPLAIN ANALYZE INSERT`": raw(f"EXPLAIN ANALYZE {INSERT}"),
        "`EXPLAIN ANALYZE CREATE TABLE`": raw("EXPLAIN ANALYZE CREATE TABLE ours AS SELECT 1 AS one"),
        "`EXPLAIN ANALYZE SELECT … INTO`": raw("EXPLAIN (ANALYZE) SELECT 1 AS one INTO ours"),
        "`SELECT … INTO` a table": raw("SELECT id INTO ours FROM layer_people_organisation"),
        "`SELECT … FOR UPDATE`": in_a_transaction("SELECT id FROM layer_people_organisation FOR UPDATE"),
        "`SELECT … FOR KEY SHARE`": in_a_transaction("SELECT id FROM layer_people_organisation FOR KEY SHARE"),
        "`select_for_update()`": locked_rows,
        "a function that writes": raw(SET_SEQUENCE),
        "a function that writes, by a server-side cursor": server_side_cursor(SET_SEQUENCE),
        "`MERGE`": raw(
            "MERGE INTO layer_people_organisation USING (SELECT 1) AS one ON false WHEN NOT MATCHED THEN "
            "INSERT (name) VALUES ('hidden')"
        ),
        "`COPY … FROM`": raw("COPY layer_people_organisation (name) FROM '/dev/null'"),
        "`TRUNCATE`": raw("TRUNCATE layer_library_section CASCADE"),
        "`DO`": raw(f"DO $$ BEGIN {INSERT.replace('hidden', 'hid')}; END $$"),
        "`PREPARE`, `EXECUTE`": raw(f"PREPARE ours AS {INSERT}", "EXECUTE ours"),
        "`LOCK TABLE`": in_a_transaction("LOCK TABLE layer_people_organisation"),
        "`SET default_transaction_read_only`": raw("SET default_transaction_read_only = off", INSERT),
        "`RESET ALL`": raw("RESET ALL", INSERT),
        "`DISCARD ALL`": raw("DISCARD ALL", INSERT),
        "`SET SESSION CHARACTERISTICS`": raw("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", INSERT),
        "`SET TRANSACTION READ WRITE`": in_a_transaction("SET TRANSACTION READ WRITE", INSERT),
        "`SET TRANSACTION` with more words": in_a_transaction(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE", INSERT
        ),
        "`BEGIN READ WRITE`": raw("BEGIN READ WRITE", INSERT, "COMMIT"),
        "`SET` in a string of several": in_one_string(
            f"SELECT 1; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; {INSERT}"
        ),
        "`set_config()`": raw(
            "SELECT set_config('default_transaction_read_only', 'off', false)",
            f"WITH new AS ({INSERT} RETURNING id) SELECT * FROM new",
        ),
        '`U&"set\\005fconfig"()`': raw(
            "SELECT U&\"set\\005fconfig\"('default_transaction_read_only', 'off', false)",
            f"WITH new AS ({INSERT} RETURNING id) SELECT * FROM new",
        ),
        "`lo_create()`": raw("SELECT lo_create(0)"),
        "`lo_creat()`": raw("SELECT lo_creat(-1)"),
        "`lo_from_bytea()`": raw("SELECT/**/lo_from_bytea(0, 'hidden')"),
        "`UPDATE pg_settings`": raw(
            "UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'", INSERT
        ),
    },
    "mysql": {
        "after the connection was lost": after_a_lost_connection,
        "two statements in one string": in_one_string(f"SELECT 1; {INSERT}"),
        "`SELECT … FOR UPDATE`": in_a_transaction("SELECT id FROM layer_people_organisation FOR UPDATE"),
        "`SELECT … LOCK IN SHARE MODE`": in_a_transaction(
            "SELECT id FROM layer_people_organisation LOCK IN SHARE MODE"
        ),
        "`select_for_update()`": locked_rows,
        "`SELECT … INTO/**/OUTFILE`": into_a_file,
        "`REPLACE`": raw("REPLACE INTO layer_people_organisation (id, name) VALUES (1, 'hidden')"),
        "`TRUNCATE`": raw("TRUNCATE TABLE layer_library_material_subjects"),
        "`LOCK TABLES`": raw("LOCK TABLES layer_people_organisation READ"),
        "`FLUSH TABLES`": raw("FLUSH TABLES"),
        "`OPTIMIZE TABLE`": raw("OPTIMIZE TABLE layer_library_section"),
        "`PREPARE`, `EXECUTE`": raw(f'PREPARE ours FROM "{INSERT}"', "EXECUTE ours"),
        "`SET SESSION TRANSACTION READ WRITE`": raw("SET SESSION TRANSACTION READ WRITE", INSERT),
        "`SET TRANSACTION READ WRITE`": raw("SET TRANSACTION READ WRITE", INSERT),
        "`SET tx_read_only`": raw("SET tx_read_only = 0", INSERT),
        "`SET` of several variables": raw("SET lock_wait_timeout = 9, tx_read_only = 0", INSERT),
        "`START TRANSACTION READ WRITE`": raw("START TRANSACTION READ WRITE", INSERT, "COMMIT"),
        "`SET` in a string of several": in_one_string(f"SELECT 1; SET SESSION TRANSACTION READ WRITE; {INSERT}"),
        "a comment that is run": raw("/*! SET SESSION TRANSACTION READ WRITE */", INSERT),
    },
    "sqlite": {
        "`WITH … INSERT`": raw(f"WITH one AS (SELECT 1) {INSERT}"),
        "`REPLACE`": raw("REPLACE INTO layer_people_organisation (id, name) VALUES (1, 'hidden')"),
        "`PRAGMA query_only`": raw("PRAGMA query_only = OFF", INSERT),
        "`PRAGMA query_only()`": raw("PRAGMA query_only(0)", INSERT),
        "`PRAGMA user_version`": raw("PRAGMA user_version = 7"),
        "`VACUUM`": raw("VACUUM"),
    },
}
#: Deliberate attempts that bypass router, guard and session. Only a database user without write permission stops them.
ON_PURPOSE: dict[str, dict[str, Attempt]] = {
    "postgresql": {
        "`set_config()` in disguise": raw(
            "SELECT * FROM ts_stat('SELECT to_tsvector(set_' || "
            "'config(''default_transaction_read_only'', ''off'', false))')",
            f"WITH new AS ({INSERT} RETURNING id) SELECT * FROM new",
        ),
        "`SET` by the driver's own cursor": through_the_driver("SET default_transaction_read_only = off", INSERT),
    },
    "mysql": {
        "`SET` by the driver's own cursor": through_the_driver("SET SESSION TRANSACTION READ WRITE", INSERT),
    },
    "sqlite": {},
}


def all_attempts(engine: str) -> dict[str, Attempt]:
    """Return the attempts for an engine by name."""
    return {**ORM, **USING, **RAW, **OF_ENGINE[engine]}
