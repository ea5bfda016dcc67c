"""A blog's database on MariaDB, as an application without Django has it."""

from pathlib import Path

from tests.support.databases import DatabaseServer


def build(server: DatabaseServer, database: str) -> None:
    """Create the tables and their rows in an empty database."""
    # The driver sends one statement at a time.
    for statement in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            server.execute(statement, database)
