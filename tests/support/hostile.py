"""A hostile schema on PostgreSQL: 180 tables with every type, key, relation, name and right that broke an import."""

from pathlib import Path

from tests.support.databases import DatabaseServer

#: By extension, the tables that need it. Neither server of the tests has all of them.
EXTENSIONS = {
    "citext": """
        CREATE TABLE extension_citext (code citext PRIMARY KEY, note citext, tags citext[]);
        INSERT INTO extension_citext VALUES ('Key', 'Note', '{A,b}'), ('other', NULL, NULL);
        CREATE TABLE extension_to_citext (id integer PRIMARY KEY, target citext REFERENCES extension_citext);
        INSERT INTO extension_to_citext VALUES (1, 'KEY'), (2, 'other'), (3, NULL);
    """,
    "hstore": """
        CREATE TABLE extension_hstore (id integer PRIMARY KEY, pairs hstore);
        INSERT INTO extension_hstore VALUES (1, 'a=>1, b=>NULL'), (2, NULL);
    """,
    "ltree": """
        CREATE TABLE extension_ltree (path ltree PRIMARY KEY);
        INSERT INTO extension_ltree VALUES ('a.b'), ('a');
    """,
    "vector": """
        CREATE TABLE extension_vector (id integer PRIMARY KEY, place vector(3));
        INSERT INTO extension_vector VALUES (1, '[1,2,3]'), (2, NULL);
    """,
}
#: What the reader may do beside the README's SELECT on every table of the first schema, and what it may not.
GRANTS = """
    GRANT USAGE ON SCHEMA archive, "Odd schema" TO {reader};
    GRANT SELECT ON ALL TABLES IN SCHEMA archive, "Odd schema" TO {reader};
    REVOKE SELECT ON rights_none, rights_column FROM {reader};
    GRANT SELECT (id, shown) ON rights_column TO {reader};
"""


def build(server: DatabaseServer, database: str) -> None:
    """Create the tables and their rows in an empty database."""
    server.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), database)
    available = {name for (name,) in server.execute("SELECT name FROM pg_available_extensions", database)}
    for name in EXTENSIONS.keys() & available:
        server.execute(f"CREATE EXTENSION {name}; {EXTENSIONS[name]}", database)


def grant(server: DatabaseServer, database: str, reader: str) -> None:
    """Complete the rights of a reader that the README's SQL has made."""
    server.execute(GRANTS.format(reader=f'"{reader}"'), database)
