"""`capture_seeds`, run in production on an upstream of its own; a test database is built from what it wrote."""

import json
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.test import SimpleTestCase

from databases.management.commands.capture_seeds import write

from . import production
from .shop import MODELS, TESTS, UPSTREAM


class ShopTests(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.project = production.copy_of_project(folder.name)
        (cls.project / "corner_shop" / "migrations").mkdir(parents=True)
        (cls.project / "corner_shop" / "migrations" / "__init__.py").touch()
        (cls.project / "corner_shop" / "models.py").write_text(MODELS)
        (cls.project / "corner_shop" / "tests.py").write_text(TESTS)
        with (cls.project / "config" / "settings.py").open("a") as settings:
            settings.write("INSTALLED_APPS = [*INSTALLED_APPS, 'corner_shop']\n")
        cls.url = f"sqlite:///{folder.name}/upstream.sqlite3"
        production.run(UPSTREAM, project=cls.project, DATABASE_URL=cls.url)
        cls.commands = production.Commands(project=cls.project, MIRROR_DATABASE_URL=cls.url)
        cls.addClassCleanup(cls.commands.close)
        cls.seeds = cls.project / "seeds" / "fixtures" / "mirror.json"
        cls.original = cls.seeds.read_bytes()

    def setUp(self):
        self.seeds.write_bytes(self.original)

    def capture(self, *words: str, columns: dict[str, str] | None = None, url: str = "", code: int = 0) -> str:
        commands = self.commands
        if url:
            commands = production.Commands(project=self.project, MIRROR_DATABASE_URL=url)
            self.addCleanup(commands.close)
        process = commands.run("capture_seeds", *words, MIRROR_SEED_COLUMNS=columns or {})
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertNotIn("hidden", process.stdout + process.stderr)
        return process.stderr if code else process.stdout

    def refused(self, says: str, *words: str, **options: Any) -> None:
        """Assert that a capture stops with one line that says this, and leaves the seeds as they were."""
        error = self.capture(*words, code=1, **options)
        self.assertRegex(error, rf"^CommandError: .*{says}.*\n$")
        self.assertEqual(self.seeds.read_bytes(), self.original)
        self.assertEqual([path.name for path in self.seeds.parent.iterdir() if "mirror" in path.name], ["mirror.json"])

    def records(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.seeds.read_text(encoding="utf-8"))
        return {f"{record['model']} {record['pk']}": record["fields"] for record in found}

    def test_a_test_database_is_built_from_what_was_captured(self):
        self.capture("corner_shop.Order", "--overwrite")
        words = ("makemigrations", "corner_shop", "--settings=config.settings_test")
        made = production.command(*words, project=self.project)
        self.assertEqual(made.returncode, 0, made.stderr)
        process = production.command("test", "corner_shop", project=self.project)
        self.assertIn("Ran 2 tests", process.stderr)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_secrets_are_blanked_and_the_rest_is_kept(self):
        report = self.capture("corner_shop.Order", "--overwrite", columns={"corner_shop.company.size": "fake"})
        self.assertNotIn("hidden", self.seeds.read_text(encoding="utf-8"))
        records = self.records()
        kept = {"login": "alice", "changed": "1987-04-23T12:00:00.123456+00:00", "friends": [2]}
        blanked = {"password": "", "api_key": "api_key 1", "email": "user1@example.invalid"}
        more = {"notes": None, "picture": None, "profile": {"colour": "red", "access-token": ""}}
        self.assertEqual(records["corner_shop.customer 1"], {**kept, **blanked, **more})
        self.assertEqual(records["corner_shop.company 2"], {"size": "2"})
        self.assertEqual(records[f"corner_shop.order {UUID(int=7)}"], {"customer": "alice", "company": 2})
        for line in (
            "corner_shop.customer: 2 rows",
            "  email: 2 blanked, because it holds e-mail addresses",
            "  api_key: 2 blanked, because of its name",
            "  notes: 2 blanked, because it looks like an e-mail address",
            "  profile: 2 blanked, in parts that look secret",
            "  size: 1 faked, as MIRROR_SEED_COLUMNS says",
            "corner_shop.order: 1 rows",
        ):
            self.assertIn(line, report.splitlines())

    def test_what_is_written_is_the_same_each_time(self):
        self.capture("corner_shop.Order", "--overwrite")
        first = self.seeds.read_bytes()
        self.capture("corner_shop.Order", "--overwrite")
        self.assertEqual(self.seeds.read_bytes(), first)
        self.assertTrue(first.endswith(b"]\n"))
        self.assertEqual(
            list(self.records())[:3], ["corner_shop.customer 1", "corner_shop.customer 2", "corner_shop.company 2"]
        )

    def test_a_file_that_exists_is_not_replaced_unasked(self):
        self.refused("mirror.json exists: say --overwrite", "corner_shop.Order")

    def test_keys_that_look_secret_are_refused_unless_they_are_declared(self):
        says = 'Token.key look secret, because of its name.* say "corner_shop.token.key": "keep"'
        self.refused(says, "corner_shop.Login", "--overwrite")
        self.capture(
            "corner_shop.Login", "--overwrite", "--output", "kept.json", columns={"corner_shop.token.key": "keep"}
        )
        self.assertIn("hidden", (self.project / "kept.json").read_text())

    def test_a_column_that_keys_lead_to_is_kept(self):
        self.refused("is a key", "corner_shop.Order", "--overwrite", columns={"corner_shop.customer.login": "fake"})

    def test_an_entry_that_means_nothing_is_found_before_anything_is_read(self):
        nowhere = "sqlite:////nowhere/mirror.sqlite3"
        self.refused(
            "names no column", "corner_shop.Order", "--overwrite", columns={"corner_shop.order.x": "keep"}, url=nowhere
        )
        self.refused(r"The mirror cannot be read \(OperationalError\)", "corner_shop.Order", "--overwrite", url=nowhere)

    def test_a_sample_without_rows_is_not_written(self):
        self.refused("nothing was written", "corner_shop.Order", "--overwrite", "--filter", "company__isnull=yes")
        self.refused("--limit must be", "corner_shop.Order", "--overwrite", "--limit", "0")

    def test_a_model_whose_keys_no_fixture_can_hold_is_refused(self):
        self.refused(
            "corner_shop.Line has a composite primary key", "corner_shop.Order", "corner_shop.Line", "--overwrite"
        )

    def test_a_file_that_cannot_be_written_is_an_error(self):
        self.refused("cannot be written: No such file", "corner_shop.Order", "--output", "nowhere/mirror.json")

    def test_a_file_that_cannot_be_written_to_its_end_is_left_as_it_was(self):
        with self.assertRaisesMessage(CommandError, "mirror.json cannot be written: it holds half a character."):
            write(self.seeds, "[]\n\ud800")
        self.assertEqual(self.seeds.read_bytes(), self.original)
        self.assertEqual([path.name for path in self.seeds.parent.iterdir() if "mirror" in path.name], ["mirror.json"])
