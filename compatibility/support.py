"""What the cases use in the baked project: `from compatibility.support import *`.

The models `Note` (primary), `Event` (secondary), `Member` and `Organisation` (mirror) and `DataPoint` (tenants) are
the project's examples.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import django.test
from accounts.models import Member, Organisation
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connections
from django.http import HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import include, path
from events.models import Event
from notes.models import Note
from projects.models import DataPoint

from databases import atomic_for
from databases.mirror import MirrorWriteError
from databases.replicas import use_primary, use_replica
from databases.replicas.writes import StaleInstanceError
from databases.tenants import CrossTenantError, NoTenantError, current_tenant, testing, use_tenant
from databases.tenants.context import tenant_or_none
from databases.tenants.models import Membership, Tenant

#: Two tenants, and what a row of each may be called.
LABS, CAMPUS = "aperture-science-labs", "vavatch-corp-campus"
BOTH = ((LABS, "cake"), (CAMPUS, "orbit"))
WEB_PROCESS = """
from config.wsgi import application
from django.test import RequestFactory

def get(path, slug="", **query):
    host = f"{slug}.localhost" if slug else "localhost"
    response = application(RequestFactory().get(path, query, headers={"host": host}).environ, lambda *answer: None)
    try:
        return b"".join(response).decode()
    finally:
        response.close()
"""
ALIASES = ("default", "secondary", "mirror", "replica", f"tenant_{LABS}", f"tenant_{CAMPUS}")


class TestCase(django.test.TestCase):
    """Its tests run in transactions, so they read the primary."""

    databases = ALIASES[:3]


class TransactionTestCase(django.test.TransactionTestCase):
    """Its safe requests read the replica."""

    databases = ALIASES[:4]


class TenantTestCase(testing.TenantTestCase):
    """Has both tenants."""

    tenants = (LABS, CAMPUS)
    databases = ALIASES[1:3]


class TenantTransactionTestCase(testing.TenantTransactionTestCase):
    """Has both tenants, and is not in a transaction."""

    tenants = (LABS, CAMPUS)
    databases = ALIASES[1:3]


class Served(list[tuple[str, str]]):
    """The statements that were sent, each with the alias of its database."""

    def aliases(self, words: str) -> set[str]:
        """Return the aliases of the databases that got a statement with these words, such as the name of a table."""
        return {alias for alias, sql in self if words in sql}


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """Collect all statements of this thread on all databases."""
    found = Served()

    def note(alias: str) -> Any:
        def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            found.append((alias, str(sql)))
            return execute(sql, params, many, context)

        return wrapper

    with contextlib.ExitStack() as stack:
        for alias in ALIASES:
            stack.enter_context(connections[alias].execute_wrapper(note(alias)))
        yield found


def complaint(line: str) -> str:
    """Return what `manage.py check` says after this line was added to the settings; nothing if it finds no error."""
    module = Path("config/settings_changed.py")
    module.write_text(f"from .settings_test import *\n{line}\n", encoding="utf-8")
    words = [sys.executable, "manage.py", "check", "--settings=config.settings_changed"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        return done.stderr if done.returncode else ""
    finally:
        module.unlink()


def in_web_process(code: str) -> Any:
    """Return what this code leaves in `found`, run as `make run` does: with registered tenants, pools and `DEBUG`.

    In tests the tenants are listed in `DATABASES`, and the layer's ENGINE does not serve them. `get(path, slug)` in the
    code returns a page.
    """
    environment = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE_URL"}
    environment |= {"SECRET_KEY": "for development", "DEBUG": "on", "DJANGO_SETTINGS_MODULE": "config.settings"}
    manage = [sys.executable, "manage.py"]
    for words in (
        [*manage, "migrate_databases"],
        [*manage, "build_demo_databases", "--settings=config.settings_test"],
        *([*manage, "create_tenant", slug] for slug, _ in BOTH),
        [sys.executable, "-c", f"{WEB_PROCESS}\n{code}\nimport json; print(json.dumps(found))"],
    ):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def production_mirror() -> Any:
    """Return a block in which the mirror's router refuses writes, as outside of tests."""
    return mock.patch("databases.mirror.router.is_test_database", return_value=False)


def make_user(*, member_of: tuple[str, ...] = (), **fields: Any) -> Any:
    """Return the new user `chell` with the password `cake`, a member of these tenants."""
    user = get_user_model().objects.create_user("chell", "chell@example.com", "cake", **fields)
    for slug in member_of:
        Membership.objects.create(user=user, tenant=Tenant.objects.get(slug=slug))
    return user


def make_admin(**options: Any) -> Any:
    """Return the same user with all permissions."""
    return make_user(is_staff=True, is_superuser=True, **options)
