"""A subset shows the mirror at one moment, whatever the other application writes during the capture."""

import json
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connections
from django.test import TestCase

from databases.mirror.subset import Subset, snapshot
from databases.mirror.tests.library.models import Material, Subject
from databases.mirror.tests.people.models import Organisation
from databases.tests import production


def report_snapshot() -> None:
    """Print what a subset holds if the other application writes between its reads.

    This runs in production. The alias `default`, which nothing guards, stands for the other application.
    """
    writer = connections["default"]
    if writer.vendor == "sqlite":
        # Without this, SQLite blocks writers while another connection reads.
        writer.cursor().execute("PRAGMA journal_mode = WAL")
    added = Organisation(name="Black Mesa")
    seen = []

    def write_after_the_first_read(execute: Any, sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if "layer_library_material" in sql and not seen:
            seen.append(sql)
            added.save(using="default")
            Subject.objects.using("default").update(name="Changed")
        return result

    names = list(Subject.objects.order_by("pk").values_list("pk", "name"))
    try:
        subset = Subset(50)
        with snapshot(), connections["mirror"].execute_wrapper(write_after_the_first_read):
            for model in (Material, Organisation):
                subset.take(model, {})
            subset.link()
        changed = list(Subject.objects.order_by("pk").values_list("name", flat=True))
    finally:
        Organisation.objects.using("default").filter(name="Black Mesa").delete()
        for pk, name in names:
            Subject.objects.using("default").filter(pk=pk).update(name=name)
    subjects = [subject.name for _, subject in sorted(subset.rows[Subject].items())]
    print(json.dumps({"organisations": len(subset.rows[Organisation]), "subjects": subjects, "changed": changed}))


class SnapshotTests(TestCase):
    databases = {"mirror"}

    def test_writes_of_the_other_application_are_not_seen_meanwhile(self):
        with TemporaryDirectory() as folder:
            url = production.url_of("mirror", folder)
            code = "from databases.mirror.tests.test_snapshot import report_snapshot; report_snapshot()"
            report = production.run(code, DATABASE_URL=url, MIRROR_DATABASE_URL=url)
        self.assertEqual(report["changed"], ["Changed", "Changed"])
        self.assertEqual(report["subjects"], ["Physics", "Ethics"])
        self.assertEqual(report["organisations"], 2)
