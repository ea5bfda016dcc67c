"""No text, JSON, binary value or address of the mirror is in a seed, unless a setting keeps its column."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.test import SimpleTestCase

from databases.mirror.disguise import Disguise, UnfitError
from databases.mirror.tests.vault.case import LISTED, LONG_AGO, SECRETS, CaptureTestCase, customer
from databases.mirror.tests.vault.models import Company, Customer, Line, Login, Option, Order, Tag

EVERYTHING = "layer_vault.*"


class SecretTests(CaptureTestCase):
    def found(self, said: str) -> list[str]:
        """Return the secrets that are in the seed or in the report."""
        text = (self.output.read_text(encoding="utf-8") + said).lower()
        return [secret for secret in SECRETS.split("|") if secret.lower() in text]

    def test_no_planted_secret_is_in_the_seed(self):
        self.assertEqual(self.found(self.capture(columns=LISTED)), [])

    def test_all_planted_secrets_are_found_where_their_columns_are_kept(self):
        self.assertEqual(self.found(self.capture(columns={EVERYTHING: "keep"})), SECRETS.split("|"))

    def test_a_test_database_is_built_from_a_seed(self):
        for columns in (LISTED, {EVERYTHING: "keep"}, {EVERYTHING: "fake"}):
            self.capture("layer_vault", "--overwrite", columns=columns)
            self.assertNotIn("capitals", self.output.read_text(encoding="utf-8"))
            self.load()
            first, company, option = Login.objects.get().email, Company.objects.get(), Option.objects.get()
            self.assertEqual((first.tags.count(), Customer.objects.count()), (2, 4))
            self.assertEqual([each.pk for each in first.friends.all()], [company.pk])
            self.assertEqual((Login.objects.get().option, Order.objects.get().company.pk), (option, company.pk))
            self.assertEqual(Line.objects.get().order, Order.objects.get())
            self.assertEqual(first.changed == LONG_AGO, columns != {EVERYTHING: "fake"})
            for each in Customer.objects.all():
                self.assertEqual(each.capitals, each.name.upper())

    def test_two_captures_write_the_same_file(self):
        self.capture()
        first = self.output.read_bytes()
        self.capture("layer_vault", "--overwrite", "--limit=40")
        self.assertEqual(self.output.read_bytes(), first)
        with self.settings(SECRET_KEY="another one"):  # noqa: S106
            self.capture("layer_vault", "--overwrite")
        self.assertNotEqual(self.output.read_bytes(), first)

    def test_rules_of_the_setting_are_patterns_of_which_the_last_one_counts(self):
        rules = {"*.customer.*": "keep", "Layer_Vault.Customer.[ns]*": "fake", "layer_vault.customer.slug": "keep"}
        self.capture(columns=rules)
        first = self.records()["customer"][0]["fields"]
        self.assertEqual((first["slug"], first["email"]), (customer(1)["slug"], customer(1)["email"]))
        self.assertNotEqual(first["name"], customer(1)["name"])


class ValueTests(SimpleTestCase):
    def made(self, field: models.Field, *values: Any, rule: str | None = None) -> list[Any]:
        """Return what becomes of the values of a column."""
        field.set_attributes_from_name("field")
        field.model = Tag
        disguise = Disguise({field: rule} if rule else {})
        return [disguise.value(field, value) for value in values]

    def test_made_up_texts_have_the_shape_of_the_real_ones(self):
        for field, text, pattern in (
            (models.CharField(max_length=30), "Iola-Eve Ö'Ai", r"[a-z]{4}-[a-z]{3} [a-z]{4}"),
            (models.CharField(max_length=30), "+49 (0) 171-55", r"\+\d\d [a-z]\d\)[a-z]\d{3}-\d\d"),
            (models.CharField(max_length=32), "a@example.org", r"[a-z]{8}@example\.invalid"),
            (models.CharField(max_length=31), "a@example.org", r"[a-z]{9}\.[a-z]{3}"),
            (models.CharField(max_length=40), "mail a@example.org", r"[a-z]{4} [a-z]{9}\.[a-z]{3}"),
            (models.TextField(), "ftp://" + "aeiou" * 900, r"https://example\.invalid/[a-z]{976}"),
            (models.URLField(), "ftp://aeiou:aeiou@example.org", r"https://example\.invalid/[a-z]{8}"),
            (models.TextField(), "aei ou " * 900, r"([a-z]{3} [a-z]{2} ){142}[a-z]{3} [a-z]{2}"),
            (models.GenericIPAddressField(), "203.0.113.9", r"198\.1[89]\.\d+\.\d+"),
            (models.GenericIPAddressField(), "fd9e::1", r"2001:db8::[0-9a-f:]+"),
        ):
            with self.subTest(text):
                self.assertRegex(self.made(field, text)[0], rf"\A{pattern}\Z")

    def test_equal_values_become_equal_and_others_different(self):
        for field, values in (
            (models.CharField(max_length=2), [chr(97 + i) for i in range(26)]),
            (models.CharField(max_length=3), ["---", "...", "- -"]),
            (models.GenericIPAddressField(), [f"10.0.{i // 200}.{i % 200}" for i in range(900)]),
        ):
            made = self.made(field, *values, *values)
            self.assertEqual(made[: len(values)], made[len(values) :])
            self.assertEqual(len({*made}), len(values))
            self.assertFalse({*made} & {"---", "..."})

    def test_nothing_stays_nothing(self):
        for field in (models.TextField(null=True), models.JSONField(null=True), models.BinaryField(null=True)):
            self.assertEqual(self.made(field, None), [None])
        self.assertEqual(self.made(models.TextField(), ""), [""])

    def test_numbers_and_dates_are_made_up_where_the_setting_says_so(self):
        for field, values in (
            (models.SmallIntegerField(), [-30000, 32767, *range(99)]),
            (models.PositiveIntegerField(), [2**31 - 1, 0]),
            (models.DecimalField(max_digits=4, decimal_places=2), [Decimal("99.99"), Decimal("-10.5"), Decimal(1)]),
            (models.FloatField(), [1.5, -2e9]),
            (models.DateField(), [date(1963, 6, 17), date(9999, 1, 1)]),
            (models.DateTimeField(), [LONG_AGO]),
        ):
            with self.subTest(field):
                made = [field.to_python(each) for each in self.made(field, *values, rule="fake")]
                self.assertEqual(len({*made}), len(values))
                self.assertEqual([field.to_python(each) for each in self.made(field, *values)], values)
                for each, real in zip(made, values, strict=True):
                    self.assertNotEqual(each, real)
                    field.run_validators(each)
                    self.assertTrue(isinstance(real, date) or (each < 0) == (real < 0))
                    self.assertTrue(not isinstance(real, int) or abs(each) <= max(999, abs(real)))

    def test_choices_are_kept_and_other_values_become_the_first_one(self):
        field = models.CharField(max_length=9, choices=[("Group", [("a", "A"), ("b", "B")]), ("c", "C")])
        self.assertEqual(self.made(field, "b", "", "aeiou"), ["b", "", "a"])

    def test_json_has_made_up_keys_and_scalars(self):
        value = {"aeiou": [1234567, "aeiou", {"e": 1.5}, None, True]}
        made = self.made(models.JSONField(), value, 4929739786354640, "4929 aeiou", {}, [""])
        self.assertRegex(str(made[0]), r"^\{'key1': \[\d+, '[b-z]{5}', \{'key1': \d\.\d+\}, None, False\]\}$")
        self.assertRegex(str(made[1:]), r"^\[\d+, '\d{4} [b-z]{5}', \{\}, \[''\]\]$")
        self.assertFalse({made[0]["key1"][0], made[1]} & {1234567, 4929739786354640})

    def test_values_that_a_test_database_cannot_hold_are_named_without_the_value(self):
        for field, value, reason in (
            (models.TextField(), None, "null"),
            (models.CharField(max_length=3), "aeiou", "max_length"),
            (models.TextField(), "ae\0iou", "ValueError"),
            (models.JSONField(), {"a": "\0"}, "ValueError"),
            (models.TextField(), "\ud800", "UnicodeEncodeError"),
            (models.BigIntegerField(), 2**63, "max_value"),
            (models.IntegerField(), "aeiou", "invalid"),
            (models.FloatField(), float("nan"), "ValueError"),
            (models.DecimalField(max_digits=3, decimal_places=1), Decimal("100.5"), "max_digits"),
            (models.DateField(), "0000-00-00", "invalid_date"),
        ):
            with self.subTest(reason), self.assertRaises(UnfitError) as caught:
                self.made(field, value, rule="keep")
            self.assertEqual(str(caught.exception), f"field: {reason}")
        # A type without made-up values becomes NULL where it may.
        self.assertEqual(self.made(models.DateField(null=True), {1, 2}), [None])
