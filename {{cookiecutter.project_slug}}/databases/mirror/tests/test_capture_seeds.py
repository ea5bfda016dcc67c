"""`capture_seeds` finds models by their labels, says what it did without any value, and writes a whole file or none."""

from pathlib import Path
from unittest import mock

from django.core.management import CommandError

from databases.mirror.management.commands.capture_seeds import find_models
from databases.mirror.tests.vault.case import CaptureTestCase
from databases.mirror.tests.vault.models import Company, Customer, Line, Login, Option, Order, Tag


class CommandTests(CaptureTestCase):
    def refused(self, message: str, *words: str, **options: dict[str, str]) -> None:
        """Assert that a capture stops with this error, and writes nothing."""
        before = self.output.read_bytes() if self.output.exists() else None
        with self.assertRaisesMessage(CommandError, message) as caught:
            self.capture(*words, **options)
        self.assertNotIn("iguana", str(caught.exception))
        self.assertEqual(self.output.read_bytes() if self.output.exists() else None, before)
        self.assertLessEqual({path.name for path in self.output.parent.iterdir()}, {"mirror.json"})

    def test_the_report_names_rows_and_columns(self):
        said = self.capture("layer_vault.login", "layer_vault.Company", columns={"layer_vault.option.value": "keep"})
        self.assertIn("layer_vault.Company: 1 rows; made up: tax_number\n", said)
        self.assertIn("layer_vault.Option: 1 rows; made up: key\n", said)
        self.assertTrue(said.endswith(f"Written to {self.output}. Read it before you commit it.\n"), said)

    def test_models_are_found_by_labels_in_any_case(self):
        self.assertEqual(find_models(["LAYER_vault.customer", "layer_vault.companyproxy"]), {Company, Customer})
        self.assertEqual(find_models(["Layer_Vault"]), {Company, Customer, Line, Login, Option, Order, Tag})

    def test_excluded_models_are_left_out_and_what_needs_them(self):
        said = self.capture("LAYER_VAULT", "--exclude", "layer_vault.OPTION", "layer_vault.tag")
        self.assertIn("layer_vault.Login: 0 rows; 1 left out (a row that it refers to is not there)", said)
        self.assertEqual({*self.records()}, {"company", "customer", "customer_friends", "order", "line"})

    def test_captures_that_cannot_work_are_refused(self):
        self.refused("There are no rows", "layer_vault.login", "--exclude", "layer_vault.login")
        self.refused("--limit must be 1 or more", "layer_vault", "--limit=0")
        self.refused("'x.Y' is neither a mirrored model (app.Model) nor", "x.Y")
        self.refused("'x' is neither a mirrored model (app.Model) nor", "layer_vault", "--exclude", "x")
        with mock.patch.object(Tag._meta, "db_table", "iguana"):
            self.refused("The mirror cannot be read (", "layer_vault.tag", "layer_vault.option")

    def test_entries_of_the_setting_that_match_nothing_or_say_something_else_are_refused(self):
        names = ("customer.nam", "login.option", "customer.tags", "customer.capitals")
        for name, rule in {**dict.fromkeys(names, "keep"), "customer.name": "blank"}.items():
            entry = f"layer_vault.{name}"
            self.refused(f"MIRROR_SEED_COLUMNS['{entry}'] must match columns", columns={entry: rule})

    def test_an_existing_file_is_replaced_only_if_that_is_said(self):
        self.output.write_text("[]")
        self.refused("use --overwrite to replace it, or --append to add rows", "layer_vault")
        self.refused("not allowed with argument", "layer_vault", "--append", "--overwrite")
        self.capture("layer_vault", "--append")
        self.assertTrue(self.output.read_text(encoding="utf-8").endswith("]\n"))
        for text in ("{", "{}[", "[1]", '[{"model": "x"}]', "3"):
            self.output.write_text(text)
            self.refused("--append cannot extend", "layer_vault", "--append")

    def test_a_file_is_written_completely_or_not_at_all(self):
        self.output.write_text("[]")
        with mock.patch.object(Path, "replace", side_effect=OSError(28, "No space left")):
            self.refused("mirror.json cannot be written (No space left)", "layer_vault", "--overwrite")
        self.output = self.output.parent / "nowhere" / "mirror.json"
        with self.assertRaisesMessage(CommandError, "mirror.json cannot be written (No such file"):
            self.capture()
