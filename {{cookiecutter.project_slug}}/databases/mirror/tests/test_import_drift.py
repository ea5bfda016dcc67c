"""An import changes the fields of copies that have drifted, and leaves hand-written code as it is."""

from __future__ import annotations

from django.db import connections

from databases.mirror.tests.trade import TradeTestCase, upstream_models

#: The imported model after people have edited it.
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
    producer = models.ForeignKey("layer_people.Organisation", on_delete=models.PROTECT, related_name="goods")

    objects = models.Manager()

    class Meta:
        db_table = "layertrade_product"
        verbose_name = "good"

    def __str__(self) -> str:
        return self.headline
'''


class DriftTests(TradeTestCase):
    """The process that the tests share has loaded the edited copies."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared.run("import_mirror_models", "layertrade")
        cls.file = cls.project.path / "layertrade/models.py"
        head, _, rest = cls.file.read_text().partition("\nclass Product(")
        tail = rest[rest.index("\n\n\nclass ") :]
        cls.file.write_text(f"{head}{HAND_MADE}{tail}")
        cls.project.write({"apps.txt": "layertrade"})
        cls.edited = cls.project.sources()
        cls.shared = cls.start()

    def setUp(self):
        super().setUp()
        for path, content in self.edited.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def test_hand_written_code_that_fits_is_unchanged(self):
        before = self.sources()
        self.assertTrue(self.do("import_mirror_models", "--all", "--dry-run"))
        self.assertTrue(self.do("import_mirror_models", "layertrade", "layer_people").endswith("Nothing to change.\n"))
        self.assertEqual(self.sources(), before)

    def test_only_the_fields_that_drifted_change(self):
        self.addCleanup(self.create_tables)
        self.drop_tables()
        self.addCleanup(self.drop_tables)
        self.create_tables(later=True)
        self.environment()
        before = self.file.read_text()
        said = self.do("import_mirror_models", "layertrade")

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
            self.assertIn(f"layertrade.Product: {change}\n", said)
        self.commands = self.start()
        self.assertTrue(self.do("import_mirror_models", "layertrade").endswith("Nothing to change.\n"))
        self.assertIn(" Errors: 0. ", self.do("check_mirror"))

    def test_a_missing_table_is_reported_and_its_class_is_kept(self):
        price = upstream_models()[3]
        names = ("layertrade_year_price", "layertrade_old_price")
        self.change(lambda editor: editor.alter_db_table(price, *names))
        self.addCleanup(self.change, lambda editor: editor.alter_db_table(price, *reversed(names)))
        before = self.file.read_text()
        said = self.do("import_mirror_models", "layertrade")
        self.assertIn(
            "layertrade.YearPrice: the table 'layertrade_year_price' is gone. Change the db_table of the class", said
        )
        after = self.file.read_text()
        self.assertTrue(after.startswith(before))
        self.assertIn("class OldPrice(MirrorModel):", after.removeprefix(before))
