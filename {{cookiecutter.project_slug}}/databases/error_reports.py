"""Hides passwords of databases and URLs in error reports: the page that DEBUG shows, and the mail to admins."""

from __future__ import annotations

import re
from pprint import pformat
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

#: Modules whose local variables contain connection settings, some of them as one string.
DRIVERS = (
    "django.db",
    "django.utils.asyncio",
    "psycopg",
    "psycopg_binary",
    "psycopg_pool",
    "MySQLdb",
    "pymysql",
    "sqlite3",
)
SUBSTITUTE = SafeExceptionReporterFilter.cleansed_substitute
#: What follows `scheme://user:`, up to the last @ before the end of the line or the next URL. It may contain every
#: other character, also one that should have been percent-encoded, and the quotes at which pprint breaks a long string.
#: A port with a path or query is no password.
PASSWORD = re.compile(r"""(://[^\s/:\[]*:)(?!\d+[/?])(?:['"]\n\s*['"]|(?!://).)*@""")

#: In the query of a URL, or in a connection string of libpq.
PARAMETER = re.compile(r"""(?i)(\bpassw(?:or)?d=)(?:'[^']*'|[^\s&'"]+)""")


def without_passwords(text: str) -> str:
    """Return the text with stars in place of each password in a URL or a connection string."""
    return PARAMETER.sub(rf"\g<1>{SUBSTITUTE}", PASSWORD.sub(rf"\g<1>{SUBSTITUTE}@", text))


class DatabaseExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides variables of database drivers, passwords of URLs, and what is named like a password."""

    def cleanse_setting(self, key: int | str, value: Any) -> Any:
        """Return what is shown of a setting, a cookie or an entry of `request.META`: an environment variable."""
        cleansed = super().cleanse_setting(key, value)
        # Not a subclass of str: that may have a repr of its own, which hides more.
        return without_passwords(cleansed) if type(cleansed) is str else cleansed

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        module = str(tb_frame.f_globals.get("__name__", ""))
        if any(module == driver or module.startswith(f"{driver}.") for driver in DRIVERS):
            return [(name, self.cleansed_substitute) for name, _ in variables]
        return [(name, _Shown(self._without_passwords(name, value))) for name, value in variables]

    def _without_passwords(self, name: str, value: Any) -> Any:
        if "passw" in name.lower():
            return self.cleansed_substitute
        if isinstance(value, dict):
            return {key: self._without_passwords(str(key), entry) for key, entry in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._without_passwords("", entry) for entry in value)
        return value


class _Shown:
    """A variable as the report shows it. Django cuts long texts later, perhaps in the middle of a password."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return without_passwords(pformat(self.value))


class DatabaseExceptionReporter(ExceptionReporter):
    """Hides passwords of URLs in what a filter does not see: the texts of exceptions, and lines of code."""

    def get_traceback_html(self) -> Any:
        return without_passwords(super().get_traceback_html())

    def get_traceback_text(self) -> Any:
        return without_passwords(super().get_traceback_text())
