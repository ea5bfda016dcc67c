"""What every database server of the tests can do."""

import abc
import shutil
from pathlib import Path

ROWS = list[tuple[object, ...]]


class DatabaseServer(abc.ABC):
    """A server whose files lie in a folder. Processes that use the same folder share the server.

    Raises NotInstalledError where its programs are missing.
    """

    @abc.abstractmethod
    def __init__(self, folder: Path) -> None:
        """Change nothing yet: the folder need not exist."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start the server unless it runs."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server if it runs."""

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of a database, which need not exist, for the administrator."""

    def url_for_tests(self, database: str) -> str:
        """Return the URL for a project's tests: its user has only the rights that tests need."""
        return self.url(database)

    @abc.abstractmethod
    def create(self, database: str) -> str:
        """Create an empty database and return its URL."""

    @abc.abstractmethod
    def tables(self, database: str) -> list[str]:
        """Return the names of all tables of a database, sorted."""

    @abc.abstractmethod
    def execute(self, statement: str, database: str = "") -> ROWS:
        """Run one statement as the administrator, in no transaction, and return its rows.

        Arguments: the statement, and the database to connect to; any, if empty.
        """


class NotInstalledError(Exception):
    """The operating system lacks a server."""


def programs(package: str, folder: Path, *names: str) -> list[str]:
    """Return the paths of programs that are on the PATH or in a folder.

    Raises NotInstalledError, which names their Debian package, where one is missing.
    """
    found = [shutil.which(name) or shutil.which(name, path=folder) for name in names]
    if None in found:
        raise NotInstalledError(f"{', '.join(names)} are not all installed: apt install {package}")
    return [program for program in found if program]
