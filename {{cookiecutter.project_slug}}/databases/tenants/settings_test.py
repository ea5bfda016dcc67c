"""The tenants' part of the settings of tests."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from databases.environment import beside, from_url
from databases.tenants.entries import TenantDatabases

#: The tenants that the layer's own tests use, beside those in `TEST_TENANTS`.
LAYER_TENANTS = ("layer-one", "layer-two")
#: For tests of production's settings: addresses where no server is.
ENVIRONMENT = {"SITE_DOMAIN": "example.com", "TENANT_DATABASE_URL": "sqlite:////nowhere/{name}.sqlite3"}
#: The apps of the tenants' own tests, and their role.
TEST_APPS = {"databases.tenants.tests.points": "tenant"}
if find_spec("databases.tenants.external"):
    TEST_APPS["databases.tenants.external.tests.readings"] = "tenant"


def configure(settings: dict[str, Any]) -> None:
    """Declare tenants in `DATABASES`, so that Django makes, migrates and clones their test databases."""
    server = from_url(
        os.environ.get("TEST_TENANT_DATABASE_URL", ""),
        "TEST_TENANT_DATABASE_URL",
        beside(settings["DATABASES"]["default"], "{name}"),
    )
    for slug in (*settings["TEST_TENANTS"], *LAYER_TENANTS):
        settings["DATABASES"][f"tenant_{slug}"] = {**server, "NAME": server["NAME"].replace("{name}", slug)}
    settings |= {
        "DATABASES": TenantDatabases(settings["DATABASES"]),
        "SITE_DOMAIN": "testserver",
        "TENANT_SERVERS": {"default": server},
        # Rows of a test are in a transaction of its thread, and each test has others.
        "TENANT_CACHE_SECONDS": 0,
        "TENANT_REGISTRY_SECONDS": 0,
        "TENANT_PASSWORD_KEYS": ["b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U="],
    }
