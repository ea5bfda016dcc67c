"""Names of test databases on a server that keeps them between runs and for several projects."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.test import SimpleTestCase

from databases.testing import names

SERVER = {"ENGINE": "django.db.backends.postgresql"}


def name_of(alias: str = "upstream", primary: str = "shop", migration: str = "0001_initial", **contents: str) -> str:
    """Return the name in a project of one migration and one fixture."""
    with TemporaryDirectory() as folder, mock.patch.object(names, "PROJECT", Path(folder)):
        for kind, file in (("migrations", f"{migration}.py"), ("fixtures", "demo.json")):
            path = Path(folder, "layer_notebook", kind, file)
            path.parent.mkdir(parents=True)
            path.write_text(contents.get(kind, ""))
        return names.test_database_name(alias, {"NAME": primary}, SERVER)


class DatabaseNameTests(SimpleTestCase):
    def test_a_kept_database_is_not_taken_up_again_after_a_change_of_migrations_or_fixtures(self):
        self.assertEqual(name_of(), name_of())
        changed = {name_of(migrations="new"), name_of(fixtures="new"), name_of(migration="0001_renamed")}
        self.assertEqual(len({name_of(), *changed}), 4)

    def test_every_project_and_alias_has_its_own_and_there_is_room_for_the_suffixes_of_workers(self):
        found = {name_of(), name_of("default"), name_of(primary="other"), name_of("upstream", "x" * 63)}
        self.assertEqual(len(found), 4)
        self.assertLess(max(len(name) for name in found), 40)
