"""A sample of the mirror is of one moment, whatever the other application writes while it is taken."""

import json
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connections
from django.test import TestCase

from accounts.models import Organisation
from databases.mirror.sample import Sample, snapshot
from materials.models import Material, Subject

from . import production


def report_snapshot() -> None:
    """Print what a sample holds while the other application writes between its reads.

    This runs in production, where the alias `default` stands for the other application: nothing guards it.
    """
    writer = connections["default"]
    if writer.vendor == "sqlite":
        # Without this SQLite lets nobody write while somebody reads.
        writer.cursor().execute("PRAGMA journal_mode = WAL")
    added = Organisation(name="Black Mesa")
    seen = []

    def write_after_the_first_read(execute: Any, sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if "materials_material" in sql and not seen:
            seen.append(sql)
            added.save(using="default")
            Subject.objects.using("default").update(name="Changed")
        return result

    names = list(Subject.objects.order_by("pk").values_list("pk", "name"))
    try:
        sample = Sample(50)
        with snapshot(), connections["mirror"].execute_wrapper(write_after_the_first_read):
            for model in (Material, Organisation):
                sample.take(model, {})
            sample.link()
        changed = list(Subject.objects.order_by("pk").values_list("name", flat=True))
    finally:
        Organisation.objects.using("default").filter(name="Black Mesa").delete()
        for pk, name in names:
            Subject.objects.using("default").filter(pk=pk).update(name=name)
    subjects = [subject.name for _, subject in sorted(sample.rows[Subject].items())]
    print(json.dumps({"organisations": len(sample.rows[Organisation]), "subjects": subjects, "changed": changed}))


class SnapshotTests(TestCase):
    databases = {"mirror"}

    def test_what_the_other_application_writes_meanwhile_is_not_seen(self):
        with TemporaryDirectory() as folder:
            url = production.url_of("mirror", folder)
            code = "from tests.test_mirror_snapshot import report_snapshot; report_snapshot()"
            report = production.run(code, DATABASE_URL=url, MIRROR_DATABASE_URL=url)
        self.assertEqual(report["changed"], ["Changed", "Changed"])
        self.assertEqual(report["subjects"], ["Physics", "Ethics"])
        self.assertEqual(report["organisations"], 2)
