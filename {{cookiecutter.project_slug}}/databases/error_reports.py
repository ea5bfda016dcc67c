"""Hides passwords of databases in error reports: the page that DEBUG shows, and the mail to admins."""

from __future__ import annotations

from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

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


class DatabaseExceptionReporterFilter(SafeExceptionReporterFilter):
    """Hides all variables of database drivers, and other variables and dict entries that are named like a password."""

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> Any:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        module = str(tb_frame.f_globals.get("__name__", ""))
        if any(module == driver or module.startswith(f"{driver}.") for driver in DRIVERS):
            return [(name, self.cleansed_substitute) for name, _ in variables]
        return [(name, self._without_passwords(name, value)) for name, value in variables]

    def _without_passwords(self, name: str, value: Any) -> Any:
        if "passw" in name.lower():
            return self.cleansed_substitute
        if isinstance(value, dict):
            return {key: self._without_passwords(str(key), entry) for key, entry in value.items()}
        return value
