"""What the mirror's user may do besides reading, as a check: `check --deploy --database mirror`.

The user is the boundary behind router and session, so this asks the server itself. Each finding is a right and the
statement that takes it away. Rights on other databases of the server, and temporary tables, are not looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections

from databases.mirror.router import MIRROR

#: The most rights that are listed.
MOST = 20
#: `grantees` are the user, PUBLIC (0), and the roles that the user can become, with the statement that leaves them.
#: Functions that write large objects belong to PUBLIC at first, and until PostgreSQL 15 they run in read-only sessions.
#: Sources: PostgreSQL manual, 5.8 (privileges), 22 (roles), 9.27.10 and 53 (system catalogs).
POSTGRESQL = """
WITH me AS (SELECT oid, rolname FROM pg_roles WHERE rolname = session_user),
here AS (SELECT * FROM pg_database WHERE datname = current_database()),
grantees AS (
    SELECT oid, quote_ident(rolname) AS name, NULL AS leave FROM me
    UNION ALL SELECT 0, 'PUBLIC', NULL
    UNION ALL SELECT role.oid, quote_ident(role.rolname), format('REVOKE %I FROM %I', direct.rolname, me.rolname)
    FROM me JOIN pg_auth_members ON member = me.oid JOIN pg_roles AS direct ON direct.oid = roleid
        JOIN pg_roles AS role ON pg_has_role(direct.oid, role.oid, 'MEMBER')
), schemas AS (
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), large AS (
    SELECT oid, proname, proowner, coalesce(proacl, acldefault('f', proowner))::text AS acl
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND proname ~ '^lo_?(creat|create|from_bytea|put|write|unlink|import|export|truncate|truncate64)$'
), lists (kind, name, columns, owner, acl) AS (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', nspname, relname), '', relowner,
        relacl
    FROM pg_class JOIN schemas ON relnamespace = schemas.oid WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL SELECT 'TABLE', format('%I.%I', nspname, relname), format(' (%I)', attname), relowner, attacl
    FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid JOIN schemas ON relnamespace = schemas.oid
    WHERE attacl IS NOT NULL AND NOT attisdropped
    UNION ALL SELECT 'SCHEMA', quote_ident(nspname), '', nspowner, nspacl FROM schemas
    UNION ALL SELECT 'DATABASE', quote_ident(datname), '', datdba, datacl FROM here
    UNION ALL SELECT 'ROUTINE', format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)),
        '', proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc JOIN schemas ON pronamespace = schemas.oid WHERE prosecdef
        AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    UNION ALL SELECT 'ROUTINE', string_agg(oid::regprocedure::text, ', ' ORDER BY proname), '', proowner, acl::aclitem[]
    FROM large GROUP BY proowner, acl
), granted AS (
    SELECT kind, lists.name, columns, grantees.name AS grantee, leave,
        string_agg(privilege_type, ', ' ORDER BY privilege_type) AS rights
    FROM lists, aclexplode(acl) AS one JOIN grantees ON grantees.oid = one.grantee
    WHERE one.grantee <> owner AND (kind = 'SEQUENCE' OR privilege_type <> 'USAGE')
        AND privilege_type NOT IN ('SELECT', 'CONNECT', 'TEMPORARY')
    GROUP BY kind, lists.name, columns, grantees.name, leave
), findings (rank, found, statement) AS (
    SELECT 1, format('%s as %s', word, name), coalesce(leave, format('ALTER ROLE %s NO%s', name, word))
    FROM pg_roles JOIN grantees USING (oid), LATERAL (VALUES ('SUPERUSER', rolsuper), ('CREATEROLE', rolcreaterole),
        ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) AS each (word, has)
    WHERE has
    UNION SELECT 1, format('membership in %s', name), leave FROM grantees
    WHERE name ~ '^pg_(write|execute|maintain|signal|checkpoint|create|use)'
    UNION SELECT 2, format('ownership of %s %s as %s', type, identity, grantees.name),
        coalesce(leave, format('ALTER %s %s OWNER TO %I', upper(type), identity,
            (SELECT rolname FROM pg_roles WHERE oid <> grantees.oid ORDER BY oid = here.datdba DESC, oid LIMIT 1)))
    FROM pg_shdepend AS owns JOIN grantees ON refobjid = grantees.oid JOIN here ON dbid = here.oid OR objid = here.oid,
        pg_identify_object(classid, objid, objsubid)
    WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND NOT (type = 'sequence' AND EXISTS (
        SELECT FROM pg_depend WHERE (classid, objid) = (owns.classid, owns.objid) AND deptype IN ('a', 'i')))
    UNION SELECT 3, format('%s%s on %s %s as %s', rights, columns, lower(kind), name, grantee),
        coalesce(leave, format('REVOKE %s ON %s %s FROM %s', CASE columns WHEN '' THEN rights
            ELSE replace(rights, ',', columns || ',') || columns END, kind, name, grantee))
    FROM granted
)
SELECT found, statement FROM findings ORDER BY rank, found, statement
"""
NAME = r"(?:`(?:[^`]|``)*`|'[^']*'|\*|\w+)"
ACCOUNT = rf"{NAME}(?:@{NAME})?"
#: A line of SHOW GRANTS. Without `on` it grants roles. What follows the account may hold the hash of a password.
GRANT = re.compile(
    rf"GRANT (?P<rights>.+?)(?: ON (?P<on>(?:[A-Z]+ )?(?P<database>{NAME})\.{NAME}|{NAME}@{NAME}))?"
    rf" TO (?P<to>{ACCOUNT})(?P<rest> .*)?"
)
RIGHT = re.compile(rf"([A-Z][A-Z_ ]*[A-Z])(?: \((?:{NAME}(?:, )?)+\))?")
HARMLESS = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"}


class Right(NamedTuple):
    """What the user may do besides reading, and the SQL or advice that ends it."""

    words: str
    cure: str


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
    return [
        checks.Warning(
            f"The mirror's user may do more than read: {each.words}.", hint=each.cure + more, id="databases.W003"
        )
        for each in found[:MOST]
    ]


def read_rights() -> list[Right]:
    """Return up to `MOST` + 1 rights besides reading. Raises Django's database errors."""
    connection = connections[MIRROR]
    if connection.vendor == "sqlite":
        # A path, or a URI with a path.
        name = str(connection.settings_dict["NAME"])
        path = unquote(urlsplit(name).path) if name.startswith("file:") else name
        cure = "Run this project as a user of the operating system that may read the file and not write it."
        return [Right("this process may write the file", cure)] if os.access(path, os.W_OK) else []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL)
            return [Right(found, f"Run: {statement};") for found, statement in cursor.fetchmany(MOST + 1)]
        cursor.execute("SELECT current_user()")
        user = cursor.fetchone()[0]
        cursor.execute("SHOW GRANTS")
        grants = [text for (text,) in cursor.fetchall()]
        return list(mysql_rights(grants, user, connection.settings_dict["NAME"]))[: MOST + 1]


def mysql_rights(grants: list[str], user: str, database: str) -> Iterator[Right]:
    """Yield the rights besides reading. Arguments: the lines of SHOW GRANTS, `current_user()` and the mirror's name."""
    found = [each for each in map(GRANT.fullmatch, grants) if each]
    account = next((each["to"] for each in found if each["to"].replace("`", "") == user), user)
    roles: dict[str, set[str]] = {account: set()}
    for each in found:
        roles.setdefault(each["to"], set()).update([] if each["on"] else re.findall(ACCOUNT, each["rights"]))
    for text in grants:
        if text.startswith("GRANT ") and not GRANT.fullmatch(text):
            yield Right("a grant that this check does not understand", "Read it with SHOW GRANTS.")
    # The server shows the rights of roles that are active, and of those that they include.
    leave = {role: f"REVOKE {role} FROM {account}" for role in sorted(roles[account])}
    for role in sorted(leave.keys() - roles.keys()):
        yield Right(f"whatever {role} may do, which only an administrator can see", f"Run: {leave[role]};")
    for each in found:
        on, to = each["on"], each["to"]
        if not on or not _covers(each["database"], database):
            continue
        words = [right[0] for right in RIGHT.finditer(each["rights"]) if right[1] not in HARMLESS]
        cure = f"REVOKE {', '.join(words)} ON {on} FROM {to}" if words else ""
        if words == ["ALL PRIVILEGES"]:
            cure += f"; GRANT SELECT, SHOW VIEW ON {on} TO {to}"
        if "GRANT OPTION" in (each["rest"] or ""):
            words.append("GRANT OPTION")
            cure += f"; REVOKE GRANT OPTION ON {on} FROM {to}"
        cures = [leave[role] for role in leave if to in _included(role, roles)] or [cure.removeprefix("; ")]
        yield from (Right(f"{', '.join(words)} on {on} as {to}", f"Run: {sql};") for sql in cures if words)


def _included(role: str, roles: dict[str, set[str]]) -> set[str]:
    """Return a role and the roles that it includes. The server refuses cycles."""
    return {role}.union(*(_included(each, roles) for each in roles.get(role, ())))


def _covers(quoted: str | None, database: str) -> bool:
    """Return whether a grant's database, where % and _ stand for characters, may be this one. Ignores case."""
    if quoted in (None, "*"):
        return True
    pattern = str(quoted).strip("`").replace("``", "`")
    wildcards = {"%": ".*", "_": "."}
    regex = re.sub(r"\\?.", lambda found: wildcards.get(found[0]) or re.escape(found[0][-1]), pattern)
    return bool(re.fullmatch(regex, database, re.IGNORECASE))
