"""`capture_seeds` finds models by their labels, says what it did without any value, and writes a whole file or none."""

from pathlib import Path
from unittest import mock

from django.core.management import CommandError
from django.test import SimpleTestCase

from databases.mirror.management.commands.capture_seeds import find_models
from databases.mirror.tests.library.models import Chapter, Collection, Material, Section, Subject
from databases.mirror.tests.vault.case import CaptureTestCase
from databases.mirror.tests.vault.models import Company, Customer, Tag


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
        self.assertIn("layer_vault.Company: 1 rows; made up: tax_number; kept: customer_ptr\n", said)
        self.assertIn("layer_vault.Option: 1 rows; made up: key; kept: value\n", said)
        self.assertIn("layer_vault.Login: 1 rows; made up: option, email; kept: id, before\n", said)
        self.assertTrue(said.endswith(f"Written to {self.output}. Read it before you commit it.\n"), said)
        for word in ("iguana", "aubergine", "ottilie", "1963"):
            self.assertNotIn(word, said.lower())

    def test_excluded_models_are_left_out_and_what_needs_them(self):
        said = self.capture("LAYER_VAULT", "--exclude", "layer_vault.OPTION", "layer_vault.tag")
        self.assertIn("layer_vault.Login: 0 rows; left out: 1 (a row that it refers to is not there)", said)
        self.assertEqual({*self.records()}, {"company", "customer", "customer_friends", "order", "line"})

    def test_filters_choose_rows(self):
        for words, keys in {
            ("--filter=pk__in=1,3",): [1, 3, 4],
            ("--filter=tags__name__startswith=aub", "--filter=born__isnull=no"): [1, 4],
            ("--filter=company__isnull=False", "--limit=1"): [4],
        }.items():
            self.capture("layer_vault.customer", "--overwrite", *words)
            self.assertEqual([each["pk"] for each in self.records()["customer"]], keys)
        self.capture("layer_vault.line", "--overwrite", "--filter=number=3")
        self.assertEqual(len(self.records()["line"]), 1)

    def test_filters_that_do_not_fit_are_refused_without_their_values(self):
        for word in ("born=iguana", "nme=iguana", "name__nme=iguana", "pk=iguana", "born__in=iguana", "=iguana"):
            self.refused("does not fit layer_vault.Customer", "layer_vault.customer", f"--filter={word}")

    def test_captures_that_find_nothing_are_refused(self):
        self.refused("No row matches", "layer_vault.customer", "--filter=name=iguana")
        self.refused("No row matches", "layer_vault.login", "--exclude", "layer_vault.option", "layer_vault.customer")
        self.refused("--limit must be 1 or more", "layer_vault", "--limit=0")
        self.refused("'x.Y' is neither a mirrored model (app.Model) nor", "x.Y")
        self.refused("'x' is neither a mirrored model (app.Model) nor", "layer_vault", "--exclude", "x")

    def test_a_mirror_that_cannot_be_read_is_said_without_the_message_of_the_driver(self):
        with mock.patch.object(Tag._meta, "db_table", "iguana"):
            self.refused("The mirror cannot be read (", "layer_vault.tag", "layer_vault.option")

    def test_an_existing_file_is_replaced_only_if_that_is_said(self):
        self.output.write_text("[]")
        self.refused("use --overwrite to replace it, --append to add rows", "layer_vault")
        self.refused("not allowed with argument", "layer_vault", "--append", "--overwrite")
        self.capture("layer_vault", "--append")
        self.assertTrue(self.output.read_text(encoding="utf-8").endswith("]\n"))
        for text in ("{", "{}[", "[1]", '[{"model": "x"}]', "3"):
            self.output.write_text(text)
            self.refused("--append cannot extend", "layer_vault", "--append")

    def test_a_file_is_written_completely_or_not_at_all(self):
        self.output.write_text("[]")
        with mock.patch.object(Path, "replace", side_effect=OSError(28, "No space left")):
            self.refused("mirror.json cannot be written: No space left.", "layer_vault", "--overwrite")
        self.output = self.output.parent / "nowhere" / "mirror.json"
        with self.assertRaisesMessage(CommandError, "mirror.json cannot be written: No such file"):
            self.capture()
        self.output = self.output.parents[1]
        with self.assertRaisesMessage(CommandError, "cannot be written: "):
            self.capture("layer_vault", "--overwrite")


class LabelTests(SimpleTestCase):
    def test_apps_and_models_are_found_dependent_ones_first(self):
        self.assertEqual(find_models(["layer_library"]), [Section, Chapter, Material, Collection, Subject])
        self.assertEqual(find_models(["LAYER_vault.customer", "layer_vault.companyproxy"]), [Company, Customer])

    def test_an_unmanaged_model_is_captured_only_by_its_own_name(self):
        with mock.patch.object(Tag._meta, "managed", False):
            self.assertNotIn(Tag, find_models(["layer_vault"]))
            self.assertEqual(find_models(["layer_vault.Tag"]), [Tag])
