"""Tables that become models: in a copy of this project, from the mirror as it is in production."""

from __future__ import annotations

from django.core.management import CommandError, call_command

from . import production
from .trade import TradeTestCase

#: A test as the project's owner may write it, for the copied models.
THEIR_TEST = """
from django.test import TestCase
from accounts.models import Organisation
from trade.models import Product, ShelfItem, YearPrice

class TradeTests(TestCase):
    databases = {"mirror"}

    def test_rows(self):
        producer = Organisation.objects.create(name="Black Mesa")
        product = Product.objects.create(title="Crowbar", price="9.99", sold_out=False, code="bar", producer=producer)
        keys = {"product": product, "product_code": product, "label": product, "depot_id": 1}
        ShelfItem.objects.create(**keys, check_0=1, class_field=2)
        YearPrice.objects.create(product=product, year=1998)
        item = ShelfItem.objects.select_related("product__producer").get(product_code__code="bar")
        self.assertEqual(item.product.producer.name, "Black Mesa")
        self.assertEqual(YearPrice.objects.get(pk=(product.pk, 1998)).product, product)
"""


class ImportTests(TradeTestCase):
    def test_imported_models_are_installed_migrated_and_used(self):
        untouched = self.sources()
        said = self.do("import_mirror_models", "trade", "--dry-run")
        self.assertIn("+++ trade/models.py\n", said)
        self.assertIn("+class ShelfItem(MirrorModel):\n", said)
        self.assertEqual(self.sources(), untouched)

        said = self.do("import_mirror_models", "trade")
        self.assertIn("[1/4] trade_log is left out: it has no primary key that Django can use\n", said)
        self.assertIn("[2/4] trade_product -> trade.Product, 7 fields\n", said)
        self.assertIn('config/settings.py:\n    "trade",\nThen run: python manage.py makemigrations trade\n', said)
        text = (self.project / "trade/models.py").read_text()
        for line in (
            "class ShelfItem(MirrorModel):",
            '    producer = models.ForeignKey("accounts.Organisation", on_delete=models.DO_NOTHING)\n',
            "    launched = models.DateField(null=True)\n",
            '    product = models.ForeignKey("trade.Product", on_delete=models.DO_NOTHING)\n',
            'related_name="trade_shelfitem_substitute"',
            'to_field="code"',
            "    # a foreign key to stock_depot.id, which is not copied\n    depot_id = models.BigIntegerField()\n",
            '    check_0 = models.IntegerField(db_column="check")\n',
            '    class_field = models.IntegerField(db_column="class")\n',
            '    pk = models.CompositePrimaryKey("product", "year")\n',
            "    # oddity is left out: Django has no field for ",
            '        db_table = "trade_shelf_item"\n',
        ):
            self.assertIn(line, text)
        self.assertIn("trade/ is there and not installed", self.refused("import_mirror_models", "trade"))

        self.install("trade")
        before = self.sources()
        self.assertTrue(self.do("import_mirror_models", "trade").endswith("Nothing to change.\n"))
        self.assertEqual(self.sources(), before)
        self.assertIn(", 0 errors, 1 to know of.", self.do("check_mirror"))
        self.do("check")
        self.do("makemigrations", "trade")
        (self.project / "tests/test_trade.py").write_text(THEIR_TEST)
        words = ("test", "tests.test_trade", "tests.test_mirror")
        environment = {**self.environment(), "DJANGO_SETTINGS_MODULE": "config.settings_test"}
        tested = production.command(*words, project=self.project, **environment)
        self.assertEqual(tested.returncode, 0, tested.stderr)

    def test_chosen_tables_go_into_one_app_and_a_name_that_is_taken_is_not_used(self):
        said = self.do("import_mirror_models", "--tables", "trade_p*", "stock_depot", "--into", "auth")
        self.assertIn("The app 'auth' becomes 'upstream_auth'", said)
        text = (self.project / "upstream_auth/models.py").read_text()
        self.assertEqual(text.count("\nclass "), 2)
        self.assertIn("class Depot(MirrorModel):", text)
        config = (self.project / "upstream_auth/apps.py").read_text()
        self.assertIn('class UpstreamAuthConfig(AppConfig):\n    name = "upstream_auth"\n', config)
        self.install("upstream_auth")
        # What is copied already is found by its table, and led to.
        self.do("import_mirror_models", "trade")
        self.assertIn('models.ForeignKey("upstream_auth.Depot"', (self.project / "trade/models.py").read_text())

    def test_what_cannot_be_done_is_refused_before_anything_is_written(self):
        refused = {
            ("tarde",): "The mirror has no app 'tarde'. There are: accounts, materials, ",
            ("--tables", "trade_*", "blog_*", "--into", "trade"): "The mirror has no table 'blog_*'. There are: ",
            ("--tables", "trade_*"): "--tables and --into belong together.",
            ("trade", "--all"): "Name apps, or give --all, or --tables with --into: one of the three.",
            (): "Name apps, or give --all, or --tables with --into: one of the three.",
        }
        for words, says in refused.items():
            with self.subTest(words), self.assertRaisesMessage(CommandError, says):
                call_command("import_mirror_models", *words)
