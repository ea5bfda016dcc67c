"""`capture_seeds` reads a mirror in production, in a small project, whose test database is built from the result."""

import json
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.test import SimpleTestCase

from databases.foreign.tests.small_project import SEEDS, SmallProject
from databases.mirror.management.commands.capture_seeds import write
from databases.mirror.tests.shop import MODELS, TESTS, UPSTREAM
from databases.tests import production

#: The fixture that the project has before a capture.
ORIGINAL = "[]\n"


class ShopTests(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.project = SmallProject(folder.name, "databases.mirror.tests.small_settings")
        app = {"migrations/__init__.py": "", "models.py": MODELS, "tests.py": TESTS}
        cls.project.write({f"corner_shop/{name}": text for name, text in app.items()})
        cls.project.write({**SEEDS, "apps.txt": "corner_shop", "seeds/fixtures/mirror.json": ORIGINAL})
        cls.seeds = cls.project.path / "seeds" / "fixtures" / "mirror.json"
        cls.url = f"sqlite:///{folder.name}/upstream.sqlite3"
        made = cls.project.python("-c", f"import django; django.setup()\n{UPSTREAM}", DATABASE_URL=cls.url)
        assert made.returncode == 0, made.stderr
        cls.commands = cls.start(cls.url)

    @classmethod
    def start(cls, url: str) -> production.Commands:
        """Start a process in production, with a mirror at this address."""
        commands = cls.project.start(MIRROR_DATABASE_URL=url)
        cls.addClassCleanup(commands.close)
        return commands

    def setUp(self):
        self.seeds.write_text(ORIGINAL)

    def capture(self, *words: str, columns: dict[str, str] | None = None, code: int = 0) -> str:
        process = self.commands.run("capture_seeds", *words, MIRROR_SEED_COLUMNS=columns or {})
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertNotIn("hidden", process.stdout + process.stderr)
        return process.stderr if code else process.stdout

    def refused(self, message: str, *words: str, **options: Any) -> None:
        """Assert that a capture stops with one line that matches, and leaves the seeds unchanged."""
        error = self.capture(*words, code=1, **options)
        self.assertRegex(error, rf"^CommandError: .*{message}.*\n$")
        self.assert_unchanged()

    def assert_unchanged(self) -> None:
        self.assertEqual(self.seeds.read_text(), ORIGINAL)
        self.assertEqual([path.name for path in self.seeds.parent.iterdir()], ["mirror.json"])

    def records(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.seeds.read_text(encoding="utf-8"))
        return {f"{record['model']} {record['pk']}": record["fields"] for record in found}

    def test_a_test_database_is_built_from_the_captured_rows(self):
        self.capture("corner_shop.Order", "--overwrite")
        settings = "--settings=databases.mirror.tests.small_settings_test"
        made = self.project.command("makemigrations", "corner_shop", settings)
        self.assertEqual(made.returncode, 0, made.stderr)
        process = self.project.command("test", "corner_shop", settings)
        self.assertIn("Ran 2 tests", process.stderr)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_secrets_are_blanked_and_other_values_are_kept(self):
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

    def test_two_captures_write_the_same_file(self):
        self.capture("corner_shop.Order", "--overwrite")
        first = self.seeds.read_bytes()
        self.capture("corner_shop.Order", "--overwrite")
        self.assertEqual(self.seeds.read_bytes(), first)
        self.assertTrue(first.endswith(b"]\n"))
        self.assertEqual(
            list(self.records())[:3], ["corner_shop.customer 1", "corner_shop.customer 2", "corner_shop.company 2"]
        )

    def test_an_existing_file_is_replaced_only_with_overwrite(self):
        self.refused("mirror.json exists: use --overwrite", "corner_shop.Order")

    def test_keys_that_look_secret_are_refused_unless_declared(self):
        says = 'Token.key look secret, because of its name.* Set "corner_shop.token.key": "keep"'
        self.refused(says, "corner_shop.Login", "--overwrite")
        self.capture(
            "corner_shop.Login", "--overwrite", "--output", "kept.json", columns={"corner_shop.token.key": "keep"}
        )
        self.assertIn("hidden", (self.project.path / "kept.json").read_text())

    def test_a_column_that_is_the_target_of_keys_is_kept(self):
        self.refused("is a key", "corner_shop.Order", "--overwrite", columns={"corner_shop.customer.login": "fake"})

    def test_an_invalid_entry_is_found_before_anything_is_read(self):
        self.commands = self.start("sqlite:////nowhere/mirror.sqlite3")
        words = ("corner_shop.Order", "--overwrite")
        self.refused("names no column", *words, columns={"corner_shop.order.x": "keep"})
        self.refused(r"The mirror cannot be read \(OperationalError\)", *words)

    def test_an_empty_subset_is_not_written(self):
        self.refused("nothing was written", "corner_shop.Order", "--overwrite", "--filter", "company__isnull=yes")
        self.refused("--limit must be", "corner_shop.Order", "--overwrite", "--limit", "0")

    def test_a_model_with_a_composite_primary_key_is_refused(self):
        self.refused(
            "corner_shop.Line has a composite primary key", "corner_shop.Order", "corner_shop.Line", "--overwrite"
        )

    def test_a_file_that_cannot_be_written_is_an_error(self):
        self.refused("cannot be written: No such file", "corner_shop.Order", "--output", "nowhere/mirror.json")

    def test_a_file_is_unchanged_after_a_write_that_fails_midway(self):
        with self.assertRaisesMessage(
            CommandError, "mirror.json cannot be written: it contains an unpaired surrogate."
        ):
            write(self.seeds, "[]\n\ud800")
        self.assert_unchanged()
