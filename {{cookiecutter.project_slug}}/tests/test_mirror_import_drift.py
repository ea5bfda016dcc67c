"""Copies that have drifted are mended in place: the fields that no longer fit change, and what people wrote stays."""

from __future__ import annotations

from django.db import connections

from .trade import TradeTestCase, upstream_models

#: What people have made of the model that was imported.
HAND_MADE = '''
class Product(MirrorModel):
    """What we sell."""

    id = models.BigAutoField(primary_key=True)
    # Shown in headlines — keep it short.
    headline = models.CharField("shown", max_length=50, db_column="title")
    price = models.DecimalField(max_digits=8, decimal_places=2)
    launched = models.DateField(null=True)  # unknown for old ones
    sold_out = models.BooleanField()
    code = models.CharField(max_length=50, unique=True, validators=[str.strip])
    producer = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="goods")

    objects = models.Manager()

    class Meta:
        db_table = "trade_product"
        verbose_name = "good"

    def __str__(self) -> str:
        return self.headline
'''


class DriftTests(TradeTestCase):
    def setUp(self):
        super().setUp()
        self.do("import_mirror_models", "trade")
        self.install("trade")
        self.file = self.project / "trade/models.py"
        head, _, rest = self.file.read_text().partition("\nclass Product(")
        tail = rest[rest.index("\n\n\nclass ") :]
        self.file.write_text(f"{head}{HAND_MADE}{tail}")
        self.restart()

    def test_what_people_wrote_and_still_fits_is_left_alone(self):
        before = self.sources()
        self.assertTrue(self.do("import_mirror_models", "--all", "--dry-run"))
        self.assertTrue(self.do("import_mirror_models", "trade", "accounts").endswith("Nothing to change.\n"))
        self.assertEqual(self.sources(), before)

    def test_only_the_fields_that_drifted_change(self):
        for model in reversed(upstream_models()):
            self.change(lambda editor, model=model: editor.delete_model(model))
        for model in upstream_models(later=True):
            self.change(lambda editor, model=model: editor.create_model(model))
        self.restart()
        before = self.file.read_text()
        said = self.do("import_mirror_models", "trade")

        expected = before.replace('max_length=50, db_column="title")', 'max_length=80, db_column="title", null=True)')
        expected = expected.replace(
            "launched = models.DateField(null=True)", "launched = models.DateTimeField(null=True)"
        )
        expected = expected.replace("    sold_out = models.BooleanField()\n", "")
        last = 'related_name="goods")\n'
        new = '    stock_level = models.IntegerField(null=True, db_column="Stock Level")\n'
        expected = expected.replace(last, last + new)
        if connections["mirror"].vendor != "sqlite":
            # SQLite does not keep the digits.
            expected = expected.replace("max_digits=8", "max_digits=10")
        self.assertEqual(self.file.read_text(), expected)
        for change in ("headline is changed", "launched is changed", "sold_out is gone", "stock_level is new"):
            self.assertIn(f"trade.Product: {change}\n", said)
        self.restart()
        self.assertTrue(self.do("import_mirror_models", "trade").endswith("Nothing to change.\n"))
        self.assertIn(", 0 errors, ", self.do("check_mirror"))

    def test_a_table_that_is_gone_is_said_and_its_class_is_kept(self):
        price = upstream_models()[3]
        names = ("trade_year_price", "trade_old_price")
        self.change(lambda editor: editor.alter_db_table(price, *names))
        self.addCleanup(self.change, lambda editor: editor.alter_db_table(price, *reversed(names)))
        self.restart()
        before = self.file.read_text()
        said = self.do("import_mirror_models", "trade")
        self.assertIn("trade.YearPrice: the table 'trade_year_price' is gone. Give the class another db_table", said)
        after = self.file.read_text()
        self.assertTrue(after.startswith(before))
        self.assertIn("class OldPrice(MirrorModel):", after.removeprefix(before))
