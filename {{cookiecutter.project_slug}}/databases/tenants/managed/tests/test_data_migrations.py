"""Data migrations run under the tenant whose database they are in, whoever started them."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.conf import settings

from databases.tenants import current_tenant, use_tenant
from databases.tenants.lifecycle import create_tenant
from databases.tenants.managed import migrate, template
from databases.tenants.managed.tests.releases import ReleaseTestCase
from databases.tenants.registry import Tenant
from databases.tenants.tests.points.models import DataPoint

MAKE = """operations = [migrations.CreateModel("DataPoint", [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=80)), ("value", models.FloatField())])]"""
FILL = f"""from {__name__} import fill
    dependencies = [("layer_points", "0001_initial")]
    operations = [migrations.RunPython(fill)]"""
BEFORE = {"0001_initial": MAKE}
FILLED = {**BEFORE, "0002_fill": FILL}


def fill(apps: Any, editor: Any) -> None:
    """Add a row with the name of the current tenant."""
    apps.get_model("layer_points", "DataPoint").objects.create(name=current_tenant().slug, value=1)


class DataMigrationTests(ReleaseTestCase):
    keeps_template = False

    def names(self, slug: str) -> list[str]:
        with use_tenant(slug):
            return list(DataPoint.objects.values_list("name", flat=True))

    def another(self) -> str:
        """Return the slug of a tenant that has a row and no database."""
        return Tenant.objects.create(slug=self.new_slug(), database="another").slug

    def create(self) -> str:
        return create_tenant(self.new_slug()).slug

    def test_new_tenants_are_migrated_under_their_own_name(self):
        with self.release(FILLED):
            with mock.patch.object(template, "call_command", wraps=template.call_command) as of_template:
                slugs = [self.create() for _ in range(3)]
            self.assertEqual([self.names(slug) for slug in slugs], [[slug] for slug in slugs])
        copies = template.can_copy(settings.TENANT_SERVERS["default"])
        self.assertEqual(of_template.call_count, 1 if copies else 0, "the server remembers that there is no template")

    def test_a_tenant_that_is_created_inside_another_one_has_its_own_rows(self):
        with self.release(FILLED), use_tenant(self.another()) as other:
            slug = self.create()
            self.assertEqual(current_tenant(), other)
        with self.release(FILLED):
            self.assertEqual(self.names(slug), [slug])

    def test_a_later_release_has_a_template_again(self):
        with self.release(FILLED):
            self.create()
        with self.release(BEFORE), mock.patch.object(template, "copy_to", wraps=template.copy_to) as copy:
            self.assertEqual(self.names(self.create()), [])
            if template.can_copy(settings.TENANT_SERVERS["default"]):
                copy.assert_called_once()
                names = template.template_names("default", template.TEMPLATE)
                self.assertEqual([name for name in names if "_each" in name], [])

    def test_each_tenant_is_migrated_under_its_own_name_by_a_plan_and_by_djangos_command(self):
        with self.release(BEFORE):
            by_plan, by_django = self.create(), self.create()
        with self.release(FILLED), use_tenant(self.another()):
            self.assertEqual(migrate.migrate_tenant(by_plan).error, "")
            with mock.patch.object(migrate, "plan_for", return_value=None):
                self.assertEqual(migrate.migrate_tenant(by_django).error, "")
        with self.release(FILLED):
            self.assertEqual([self.names(by_plan), self.names(by_django)], [[by_plan], [by_django]])
