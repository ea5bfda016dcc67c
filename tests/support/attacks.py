"""What a tenant's user may try in its database and on its server: code that others may run, and ways out."""

from typing import NamedTuple


class Attempt(NamedTuple):
    """An attempt: its name, its SQL, and the SQLSTATEs by which a server may refuse it."""

    name: str
    sql: str
    refused: tuple[str, ...] = ()


#: PostgreSQL manual, appendix A: without the right, not in this state, a database in use, no such feature or extension.
NO_RIGHT, NOT_NOW, IN_USE, NOT_SUPPORTED = "42501", "55000", "55006", "0A000"

#: Writes who ran it to the server's log, which no rollback and no read-only transaction can undo, and tries to climb.
STRIKE = r"""
CREATE SCHEMA IF NOT EXISTS evil;
CREATE TABLE IF NOT EXISTS public.loot (who text, what text);
CREATE OR REPLACE FUNCTION public.strike(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $code$
BEGIN
    RAISE LOG 'struck: %, %, %', session_user, pg_catalog.current_database(), what;
    IF session_user !~ '^tenant_[0-9a-f]{20}_[ab]$' THEN
        EXECUTE 'SET ROLE none';
        EXECUTE 'CREATE ROLE climbed SUPERUSER';
    END IF;
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END $code$;
"""

SHADOWS = ("pg_class", "pg_namespace", "pg_constraint", "pg_index", "pg_database", "pg_roles")

#: Code in its database. `pg_dump` can carry all of it, so that every command gets as far as it can.
CODE = [
    Attempt(
        "a view in place of tenant_identity",
        "ALTER TABLE public.tenant_identity RENAME TO kept_identity;"
        "CREATE VIEW public.tenant_identity AS SELECT * FROM public.kept_identity WHERE public.strike('view')",
    ),
    Attempt(
        "a view in place of django_migrations",
        "ALTER TABLE public.django_migrations RENAME TO kept_migrations;"
        "CREATE VIEW public.django_migrations AS SELECT * FROM public.kept_migrations WHERE public.strike('view')",
    ),
    Attempt(
        "triggers",
        "CREATE FUNCTION public.pull() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM public.strike('trigger'); RETURN NEW; END$$;"
        "CREATE TRIGGER pull BEFORE INSERT OR UPDATE ON public.kept_identity"
        " FOR EACH ROW EXECUTE FUNCTION public.pull();"
        "CREATE TRIGGER pull BEFORE INSERT OR UPDATE ON public.kept_migrations"
        " FOR EACH ROW EXECUTE FUNCTION public.pull()",
    ),
    Attempt("a rule", "CREATE RULE rule AS ON INSERT TO public.kept_migrations DO ALSO SELECT public.strike('rule')"),
    Attempt(
        "a check, a default and an index of an expression",
        "CREATE TABLE public.checked (id integer DEFAULT public.strike('default')::integer"
        " CHECK (public.strike('check')), twice boolean GENERATED ALWAYS AS (public.strike('generated')) STORED);"
        "INSERT INTO public.checked DEFAULT VALUES;"
        "CREATE INDEX ON public.checked (public.strike('index')) WHERE public.strike('predicate')",
    ),
    Attempt(
        "a materialized view",
        "CREATE MATERIALIZED VIEW public.refreshed AS SELECT public.strike('refresh') AS it",
    ),
    Attempt(
        "a domain and a cast",
        "CREATE DOMAIN public.checkedtext AS text CHECK (public.strike('domain'));"
        "CREATE TABLE public.domains (it public.checkedtext); INSERT INTO public.domains VALUES ('x');"
        "CREATE FUNCTION public.cast_away(public.domains) RETURNS text LANGUAGE sql AS"
        " $$SELECT public.strike('cast')::text$$;"
        "CREATE CAST (public.domains AS text) WITH FUNCTION public.cast_away(public.domains) AS IMPLICIT",
    ),
    Attempt(
        "a partitioned table",
        "CREATE TABLE public.parted (id integer CHECK (public.strike('part'))) PARTITION BY RANGE (id);"
        "CREATE TABLE public.part PARTITION OF public.parted FOR VALUES FROM (0) TO (9);"
        "INSERT INTO public.parted VALUES (1)",
    ),
    Attempt(
        "functions with the names of PostgreSQL's",
        "CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS"
        " $$SELECT pg_catalog.set_config($1, $2, public.strike('set_config') AND $3)$$;"
        "CREATE FUNCTION evil.pg_table_is_visible(oid) RETURNS boolean LANGUAGE sql AS"
        " $$SELECT public.strike('visible')$$;"
        "CREATE FUNCTION evil.starts_with(name, text) RETURNS boolean LANGUAGE sql AS"
        " $$SELECT public.strike('starts')$$;"
        "CREATE FUNCTION evil.md5(text) RETURNS text LANGUAGE sql AS $$SELECT public.strike('md5')::text$$;"
        "CREATE FUNCTION evil.lo_get(oid) RETURNS bytea LANGUAGE sql AS"
        " $$SELECT public.strike('lo_get')::text::bytea$$",
    ),
    Attempt(
        "operators",
        "CREATE FUNCTION evil.equal(name, text) RETURNS boolean LANGUAGE sql AS"
        " $$SELECT public.strike('=') AND $1 OPERATOR(pg_catalog.=) $2$$;"
        "CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.equal);"
        "CREATE OPERATOR evil.<> (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.equal)",
    ),
    *(
        Attempt(
            f"a view {name}",
            f"CREATE VIEW evil.{name} AS SELECT * FROM pg_catalog.{name} WHERE public.strike('{name}')",  # noqa: S608
        )
        for name in SHADOWS
    ),
    Attempt(
        "a function with the rights of its owner",
        "CREATE FUNCTION evil.version() RETURNS text LANGUAGE sql SECURITY DEFINER AS"
        " $$SELECT public.strike('definer')::text$$",
    ),
    Attempt(
        "names that a script could run",
        'CREATE TABLE public."a""b\n\\! touch {file}\n; SELECT public.strike(\'name\'); --" (id integer);'
        "COMMENT ON TABLE public.loot IS E'x\\n\\\\restrict y\\n\\\\! touch {file}\\n\\\\unrestrict y';"
        'CREATE TABLE public."$(touch {file})`touch {file}`\\\\" ("\'; DROP TABLE x; --" integer)',
    ),
    Attempt("a large object", "SELECT lo_from_bytea(4711, 'x')"),
    Attempt("default privileges", "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"),
    Attempt("an extension that is trusted", "CREATE EXTENSION IF NOT EXISTS hstore", (NOT_SUPPORTED,)),
    Attempt(
        "settings of the database",
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, public, pg_catalog', current_database());"
        " EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database()); END$$",
    ),
    Attempt(
        "settings of its user", "SET ROLE none; ALTER ROLE SESSION_USER SET search_path = evil, public, pg_catalog"
    ),
]

#: What `pg_dump` refuses, or what makes its database read-only: commands on this tenant may fail.
OBSTACLES = [
    Attempt(
        "policies",
        "ALTER TABLE public.kept_identity ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "ALTER TABLE public.kept_migrations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY policy ON public.kept_identity USING (public.strike('policy'));"
        "CREATE POLICY policy ON public.kept_migrations USING (public.strike('policy'))",
    ),
    Attempt(
        "settings against writing",
        "SET ROLE none; ALTER ROLE SESSION_USER SET default_transaction_read_only = on;"
        "ALTER ROLE SESSION_USER SET role = none;"
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''50ms''', current_database());"
        " EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database());"
        " EXECUTE format('GRANT ALL ON DATABASE %I TO PUBLIC', current_database()); END$$",
    ),
    Attempt(
        "its row claims to be another tenant's", "UPDATE public.kept_identity SET uid = '{victim_uid}', slug = 'horza'"
    ),
    Attempt("another password", "SET ROLE none; ALTER ROLE SESSION_USER PASSWORD 'stolen'"),
]

#: Ways out. In braces: the server's user, the victim's owner, user and database, and the attacker's.
ESCAPES = [
    Attempt(
        "an event trigger",
        "CREATE FUNCTION pg_temp.e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;"
        "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION pg_temp.e()",
        (NO_RIGHT,),
    ),
    Attempt("an extension that is not trusted", "CREATE EXTENSION dblink", (NO_RIGHT, NOT_SUPPORTED)),
    Attempt("a type with functions in C", "CREATE FUNCTION f() RETURNS integer LANGUAGE c AS 'x'", (NO_RIGHT,)),
    Attempt("a program", "COPY (SELECT 1) TO PROGRAM 'touch {file}'", (NO_RIGHT,)),
    Attempt("a file", "COPY (SELECT 1) TO '{file}'", (NO_RIGHT,)),
    Attempt("a file of the server", "SELECT pg_read_file('postgresql.conf')", (NO_RIGHT,)),
    Attempt("a large object from a file", "SELECT lo_import('/etc/passwd')", (NO_RIGHT,)),
    Attempt("a publication of all tables", "CREATE PUBLICATION p FOR ALL TABLES", (NO_RIGHT,)),
    Attempt("a subscription", "CREATE SUBSCRIPTION s CONNECTION 'dbname={victim}' PUBLICATION p", (NO_RIGHT,)),
    Attempt("a prepared transaction", "BEGIN; PREPARE TRANSACTION 'x'", (NOT_NOW,)),
    Attempt("a preloaded library", "ALTER DATABASE \"{own}\" SET session_preload_libraries = 'x'", (NO_RIGHT,)),
    Attempt("another name", 'ALTER DATABASE "{own}" RENAME TO "tenant_other"', (NO_RIGHT, IN_USE, NOT_SUPPORTED)),
    Attempt("another owner", 'ALTER DATABASE "{own}" OWNER TO {keeper}', (NO_RIGHT,)),
    Attempt("the database of the victim: drop", 'DROP DATABASE "{victim}"', (NO_RIGHT,)),
    Attempt("the database of the victim: settings", 'ALTER DATABASE "{victim}" SET search_path = evil', (NO_RIGHT,)),
    Attempt("the database of the victim: rights", 'GRANT ALL ON DATABASE "{victim}" TO PUBLIC', (NO_RIGHT,)),
    Attempt("the database of the victim: limit", 'ALTER DATABASE "{victim}" CONNECTION LIMIT 0', (NO_RIGHT,)),
    Attempt("the database of the victim: size", "SELECT pg_database_size('{victim}')", (NO_RIGHT,)),
    Attempt("a database", "CREATE DATABASE mine", (NO_RIGHT,)),
    Attempt("a role", "CREATE ROLE mine", (NO_RIGHT,)),
    Attempt("its own rights", "ALTER ROLE SESSION_USER CREATEDB", (NO_RIGHT,)),
    Attempt("its other user", "ALTER ROLE {other_user} LOGIN PASSWORD 'x'", (NO_RIGHT,)),
    Attempt("its owner", "ALTER ROLE {owner} LOGIN PASSWORD 'x'", (NO_RIGHT,)),
    *(
        Attempt(f"{what}: {name}", sql.replace("{role}", role), (NO_RIGHT,))
        for what, role in (("the victim", "{victim_user}"), ("the server's user", "{keeper}"))
        for name, sql in (
            ("password", "ALTER ROLE {role} PASSWORD 'x'"),
            ("settings", "ALTER ROLE {role} SET search_path = evil"),
            ("act as", "SET ROLE {role}"),
            ("be", "SET SESSION AUTHORIZATION {role}"),
            ("join", "GRANT {role} TO SESSION_USER"),
            ("objects", "REASSIGN OWNED BY {role} TO {owner}"),
            ("drop objects", "DROP OWNED BY {role}"),
            ("drop", "DROP ROLE {role}"),
        )
    ),
    Attempt("act as the templates' owner", "SET ROLE tenant_template_{keeper}", (NO_RIGHT,)),
    Attempt("passwords", "SELECT rolpassword FROM pg_authid", (NO_RIGHT,)),
    Attempt("passwords, by a view", "SELECT passwd FROM pg_shadow", (NO_RIGHT,)),
    Attempt("the connections of subscriptions", "SELECT subconninfo FROM pg_subscription", (NO_RIGHT,)),
    Attempt(
        "the sessions of others",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{keeper}'",
        (NO_RIGHT,),
    ),
    Attempt("a setting of the server", "ALTER SYSTEM SET shared_preload_libraries = 'x'", (NO_RIGHT,)),
    Attempt("the catalog", "UPDATE pg_catalog.pg_database SET datallowconn = true", (NO_RIGHT,)),
    Attempt("a lock on the catalog", "BEGIN; LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE", (NO_RIGHT,)),
]

#: In the maintenance database, where PUBLIC may create: what could catch the statements of the server's user.
TRAPS = [
    Attempt(
        "a function in public",
        "CREATE OR REPLACE FUNCTION public.strike(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE LOG"
        " 'struck: %, %, %', session_user, pg_catalog.current_database(), $1; RETURN true; END$$",
    ),
    Attempt(
        "set_config in public",
        "CREATE OR REPLACE FUNCTION public.set_config(varchar, varchar, boolean) RETURNS text LANGUAGE sql AS"
        " $$SELECT public.strike('set_config')::text$$",
    ),
    Attempt(
        "starts_with in public",
        "CREATE OR REPLACE FUNCTION public.starts_with(name, text) RETURNS boolean LANGUAGE sql AS"
        " $$SELECT public.strike('starts_with')$$",
    ),
    Attempt(
        "pg_get_userbyid in public",
        "CREATE OR REPLACE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS"
        " $$SELECT public.strike('userbyid')::text::name$$",
    ),
    Attempt(
        "= in public",
        "CREATE OR REPLACE FUNCTION public.equal(name, text) RETURNS boolean LANGUAGE sql AS"
        " $$SELECT public.strike('=')$$;"
        "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.equal)",
    ),
    Attempt(
        "pg_database in public",
        "CREATE OR REPLACE VIEW public.pg_database AS SELECT * FROM pg_catalog.pg_database"
        " WHERE public.strike('pg_database')",
    ),
    Attempt(
        "pg_roles in public",
        "CREATE OR REPLACE VIEW public.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE public.strike('roles')",
    ),
    Attempt("a temporary table pg_database", "CREATE TEMP TABLE pg_database (datname name)"),
]

#: Code that never ends, and that no limit of the server stops.
ENDLESS = r"""
CREATE OR REPLACE FUNCTION public.wait() RETURNS boolean LANGUAGE plpgsql AS $code$
BEGIN
    PERFORM pg_catalog.set_config('statement_timeout', '0', false);
    LOOP
        BEGIN
            PERFORM pg_catalog.pg_sleep(1000);
        EXCEPTION WHEN query_canceled THEN
            NULL;
        END;
    END LOOP;
END $code$;
"""

HOLDING = [
    Attempt(
        "a view that never ends",
        "ALTER TABLE tenant_identity RENAME TO kept_identity;"
        "CREATE VIEW tenant_identity AS SELECT * FROM kept_identity WHERE wait()",
    ),
    Attempt(
        "a check that never ends once it is restored",
        "CREATE FUNCTION ends() RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "CREATE TABLE endless (id integer CHECK (ends())); INSERT INTO endless VALUES (1);"
        "CREATE OR REPLACE FUNCTION ends() RETURNS boolean LANGUAGE sql AS 'SELECT public.wait()'",
    ),
    Attempt("the server's user is no member", "SET ROLE none; REVOKE SESSION_USER FROM {keeper}"),
]

#: Sessions that stay open: three in the own database, and two in the maintenance database.
HELD = [
    "BEGIN; SET LOCAL ROLE none; ALTER ROLE SESSION_USER SET work_mem = '1MB'",
    "BEGIN; LOCK TABLE projects_datapoint",
    "BEGIN; GRANT CONNECT ON DATABASE {own} TO {victim_owner}",
    "SELECT 1",
    "BEGIN; ALTER DATABASE {own} SET work_mem = '1MB'",
]
