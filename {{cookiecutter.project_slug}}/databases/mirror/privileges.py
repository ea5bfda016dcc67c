"""What the mirror's user may do besides reading, as a check: `check --deploy --database mirror`.

The user is the boundary behind router and session, so this asks the server itself. Each finding is a right and the
statement that takes it away. Rights on other databases of the server, and temporary tables, are not looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from databases.mirror.router import MIRROR

#: The most rights that are listed.
MOST = 20
#: `grantees` are the user, PUBLIC (0), and the roles that the user can become, with the statement that leaves them.
#: PUBLIC may UPDATE pg_settings, which is SET. Revoking a table's privileges revokes those on its columns.
#: Functions that write large objects belong to PUBLIC at first, and until PostgreSQL 15 they run in read-only sessions.
#: A table's sequences have its owner. Sources: PostgreSQL manual, 5.8 (privileges), 22 (roles), 9.27.10, 53 (catalogs).
POSTGRESQL = """
WITH grantees AS (
    SELECT oid, quote_ident(rolname) AS name, NULL AS leave FROM pg_roles WHERE rolname = session_user
    UNION ALL SELECT 0, 'PUBLIC', NULL
    UNION ALL SELECT role.oid, quote_ident(role.rolname), format('REVOKE %s FROM %I', roleid::regrole, session_user)
    FROM pg_auth_members JOIN pg_roles AS role ON pg_has_role(roleid, role.oid, 'MEMBER')
    WHERE member = quote_ident(session_user)::regrole
), lists (kind, name, owner, acl) AS (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        format('%s.%I', relnamespace::regnamespace, relname), relowner,
        nullif(relacl || ARRAY(
            SELECT unnest(attacl) FROM pg_attribute WHERE attrelid = pg_class.oid AND NOT attisdropped), '{}')
    FROM pg_class WHERE oid <> 'pg_settings'::regclass
    UNION ALL SELECT 'SCHEMA', quote_ident(nspname), nspowner, nspacl FROM pg_namespace
    UNION ALL SELECT 'DATABASE', quote_ident(datname), datdba, datacl FROM pg_database
    WHERE datname = current_database()
    UNION ALL SELECT CASE WHEN prosecdef THEN 'ROUTINE' ELSE 'FUNCTION' END, format('%s.%I(%s)',
        pronamespace::regnamespace, proname, pg_get_function_identity_arguments(oid)), proowner,
        coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE prosecdef AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        OR pronamespace = 'pg_catalog'::regnamespace
            AND proname ~ '^lo_?(creat|from_bytea|put|write|unlink|import|export|truncate)'
)
SELECT format('%s as %s', word, name), coalesce(leave, format('ALTER ROLE %s NO%s', name, word))
FROM pg_roles JOIN grantees USING (oid), LATERAL (VALUES ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole),
    ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls),
    ('MEMBERSHIP', rolname ~ '^pg_(write|execute|maintain|signal|checkpoint|create|use)')) AS each (word, has)
WHERE has
UNION SELECT format('ownership of %s %s as %s', type, identity, grantees.name),
    coalesce(leave, format('ALTER %s %s OWNER TO CURRENT_USER', replace(type, 'cs object', 'cs'), identity))
FROM pg_shdepend AS owns JOIN grantees ON refobjid = oid, pg_identify_object(classid, objid, objsubid)
WHERE deptype = 'o' AND (SELECT oid FROM pg_database WHERE datname = current_database()) IN (dbid, objid)
    AND type <> 'user mapping'
    AND NOT (type = 'sequence' AND EXISTS (SELECT FROM pg_depend WHERE objid = owns.objid AND deptype IN ('a', 'i')))
UNION SELECT format('%s as %s', rights, name), coalesce(leave, format('REVOKE %s FROM %s', rights, name))
FROM (
    SELECT grantees.name, leave,
        format('%s ON %s %s', string_agg(DISTINCT privilege_type, ', '), kind, string_agg(DISTINCT lists.name, ', '))
    FROM lists, aclexplode(acl) AS one JOIN grantees ON grantees.oid = one.grantee
    WHERE one.grantee <> owner AND privilege_type NOT IN ('SELECT', 'CONNECT', 'TEMPORARY')
        AND (kind, privilege_type) <> ('SCHEMA', 'USAGE')
    GROUP BY grantees.name, leave, kind, CASE kind WHEN 'FUNCTION' THEN '' ELSE lists.name END
) AS granted (name, leave, rights)
ORDER BY 2, 1
"""
NAME = r"(?:`(?:[^`]|``)*`|'[^']*'|\*|\w+)"
#: A line of SHOW GRANTS. Without `on`, it grants roles or PROXY. What follows may be the hash of a password.
GRANT = re.compile(
    rf"GRANT (?P<rights>.+?)(?: ON (?P<on>(?:[A-Z]+ )?(?P<database>{NAME})\.{NAME}))? TO "
    rf"(?:(?P<user>{NAME}@{NAME}|PUBLIC)|{NAME})(?P<rest> .*)?"
)
COLUMNS = re.compile(rf" \((?:{NAME}(?:, )?)+\)")
HARMLESS = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"}
#: From the wildcards in a grant's database to the ones of fnmatch. Escaped and odd characters stay wildcards.
WILDCARDS = str.maketrans("%_[`", "*??*", "\\")


def install() -> None:
    """Register the check. With this tag, it runs only if `--database` or the tag itself selects it."""
    checks.register(check_privileges, checks.Tags.database, deploy=True)


def check_privileges(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Return a warning for each right of the mirror's user besides reading, at most `MOST`."""
    if MIRROR not in (databases or ()):
        return []
    try:
        found = read_rights()
    except (Error, ImproperlyConfigured) as error:
        # Without the driver's message, which may contain addresses and users.
        message = f"The rights of the mirror's user could not be read ({type(error).__name__})."
        return [checks.Warning(message, hint="Check MIRROR_DATABASE_URL and the server.", id="databases.W004")]
    more = " There are more: repeat the check afterwards." if len(found) > MOST else ""
    text = "The mirror's user may do more than read: {}."
    return [checks.Warning(text.format(words), hint=cure + more, id="databases.W003") for words, cure in found[:MOST]]


def read_rights() -> list[tuple[str, str]]:
    """Return the rights besides reading, each with what ends it. Raises Django's database errors."""
    connection = connections[MIRROR]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        path = unquote(urlsplit(name).path) if name.startswith("file:") else name
        cure = "Run this project as a user of the operating system that may read the file and not write it."
        return [("this process may write the file", cure)] if os.access(path, os.W_OK) else []
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL if connection.vendor == "postgresql" else "SHOW GRANTS")
        rows = cursor.fetchall()
    found = rows if connection.vendor == "postgresql" else mysql_rights(rows, name)
    # A user that the other application uses too must keep its rights.
    advice = "Use a user as in databases/mirror/README.md, or run as an administrator"
    return [(words, f"{advice}: {cure};") for words, cure in found]


def mysql_rights(grants: Iterable[tuple[str]], database: str) -> Iterator[tuple[str, str]]:
    """Yield rights besides reading, and the SQL that ends them. Arguments: rows of SHOW GRANTS, the mirror's name."""
    for (text,) in grants:
        found = GRANT.fullmatch(text)
        if not found and text.startswith("GRANT "):
            yield "a grant that this check does not understand", "SHOW GRANTS"
        # What a role may do ends with the membership, which is a finding whatever the role may do.
        if not found or not found["user"]:
            continue
        rights, on, user = found["rights"], found["on"], found["user"]
        if not on:
            yield f"whatever {rights} may do (grant SELECT to the user itself)", f"REVOKE {rights} FROM {user}"
        elif fnmatchcase(database.lower(), found["database"].strip("`").lower().translate(WILDCARDS)):
            rights = COLUMNS.sub("", rights) + (", GRANT OPTION" if "GRANT OPTION" in (found["rest"] or "") else "")
            words = ", ".join(word for word in re.split(", ?", rights) if word not in HARMLESS)
            cure = f"REVOKE {words} ON {on} FROM {user}"
            if words.startswith("ALL PRIVILEGES"):
                # It includes reading, and neither includes the right to grant nor stands beside it.
                cure = f"REVOKE GRANT OPTION ON {on} FROM {user}; REVOKE ALL PRIVILEGES ON {on} FROM {user}; "
                cure += f"GRANT SELECT, SHOW VIEW ON {on} TO {user}"
            if words:
                yield f"{words} on {on} as {user}", cure
