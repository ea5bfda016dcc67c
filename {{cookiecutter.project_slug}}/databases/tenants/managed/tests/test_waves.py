"""`migrate_tenants --wave`: a wave that fails stops the next one."""

from __future__ import annotations

from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

from databases.tenants.context import UnknownTenantError
from databases.tenants.managed.migrate import Outcome
from databases.tenants.managed.waves import share, waves
from databases.tenants.models import Tenant
from databases.tenants.registry import find

SLUGS = ["acme", "chell", "glados", "horza", "wheatley"]
COMMAND = "databases.tenants.management.commands.migrate_tenants"


class WavesTestCase(TestCase):
    """Has five active tenants without databases."""

    def setUp(self):
        for slug in SLUGS:
            Tenant.objects.create(slug=slug, database=slug, status=Tenant.Status.ACTIVE)


class PlanTests(WavesTestCase):
    def plan(self, text: str) -> list[list[str]]:
        return [[tenant.slug for tenant in wave] for wave in waves(text, list(Tenant.objects.all()))]

    def test_each_tenant_is_in_the_first_wave_that_names_it(self):
        for text, planned in (
            ("rest", [SLUGS]),
            ("horza,rest", [["horza"], ["acme", "chell", "glados", "wheatley"]]),
            ("horza+acme,30%,1,rest", [["horza", "acme"], ["chell", "glados"], ["wheatley"], []]),
            ("20%", [["acme"]]),
            ("100%,rest", [SLUGS, []]),
        ):
            with self.subTest(text):
                self.assertEqual(self.plan(text), planned)

    def test_invalid_waves_are_refused_with_one_sentence(self):
        for text, message in (
            ("acme,acme", "'acme' is in an earlier wave"),
            ("5x", "'5x' is neither a number nor a percentage"),
            ("", "There is no tenant ''"),
            ("nobody", "There is no tenant 'nobody'"),
        ):
            with self.subTest(text), self.assertRaisesMessage((ValueError, UnknownTenantError), message):
                self.plan(text)

    def test_a_share_is_a_number_or_a_percentage(self):
        self.assertEqual([share("3", 40), share("5%", 40)], [3, 2])


class CommandTests(WavesTestCase):
    def migrate(self, *words: str, failing: str = "") -> tuple[list[str], str]:
        """Return the slugs of the tenants that the command migrates, and its error or last words."""
        migrated: list[str] = []

        def migrate_all(tenants: list[Tenant]) -> list[Outcome]:
            migrated.extend(tenant.slug for tenant in tenants)
            return [Outcome(tenant.slug, [], 0, "no space" if tenant.slug in failing else "") for tenant in tenants]

        stderr = StringIO()
        with mock.patch(f"{COMMAND}.migrate_all", migrate_all):
            try:
                call_command("migrate_tenants", *words, stdout=StringIO(), stderr=stderr)
            except CommandError as error:
                return migrated, str(error)
        return migrated, stderr.getvalue().partition("…")[2].strip()

    def test_a_failed_wave_stops_the_next_one(self):
        found = self.migrate("--wave", "horza,20%,rest", failing="horza")
        self.assertEqual(found, (["horza"], "1 of 5 tenants failed: horza; the other 4 were not started"))

    def test_a_wave_may_have_some_failures(self):
        for limit, migrated in (("1", 5), ("50%", 5), ("49%", 2)):
            with self.subTest(limit):
                found, error = self.migrate("--wave", "40%,rest", "--max-failures", limit, failing="acme")
                self.assertEqual(len(found), migrated)
                self.assertIn("1 of 5 tenants failed: acme", error)

    def test_all_tenants_are_one_wave_unless_waves_are_given(self):
        self.assertEqual(self.migrate(), (SLUGS, ""))

    def test_tenants_in_no_wave_are_counted(self):
        self.assertEqual(
            self.migrate("--wave", "acme"), (["acme"], "4 of 5 tenants were not started: they are in no wave.")
        )

    def test_mistakes_are_refused_before_the_first_tenant(self):
        for words in (("--max-failures", "few"), ("--wave", "acme,nobody")):
            with self.subTest(words):
                found, error = self.migrate(*words)
                self.assertEqual(found, [])
                self.assertIn(words[1].split(",")[-1], error)

    def test_only_named_tenants_are_in_waves(self):
        self.assertEqual(self.migrate("acme", "horza", "--wave", "horza,rest"), (["horza", "acme"], ""))
        self.assertIn("is no tenant to migrate", self.migrate("acme", "--wave", find("chell").slug)[1])
