"""Tables of the mirror become models, in a small project in production."""

from __future__ import annotations

from databases.foreign.tests.small_project import SEEDS
from databases.mirror.tests.trade import TradeTestCase

#: A test that a user may write for the copied models.
THEIR_TEST = """
from django.test import TestCase
from databases.mirror.tests.people.models import Organisation
from layertrade.models import Product, ShelfItem, YearPrice

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
        said = self.do("import_mirror_models", "layertrade", "--dry-run")
        self.assertIn("+++ layertrade/models.py\n", said)
        self.assertIn("+class ShelfItem(MirrorModel):\n", said)
        self.assertEqual(self.sources(), untouched)

        said = self.do("import_mirror_models", "layertrade")
        self.assertIn("[1/4] layertrade_log is skipped: it has no primary key that Django can use\n", said)
        self.assertIn("[2/4] layertrade_product -> layertrade.Product, 7 fields\n", said)
        self.assertIn(
            'config/settings.py:\n    "layertrade",\n'
            'Add to APP_DATABASES in config/databases.py:\n    "layertrade": "mirror",\n',
            said,
        )
        text = (self.project.path / "layertrade/models.py").read_text()
        for line in (
            "class ShelfItem(MirrorModel):",
            '    producer = models.ForeignKey("layer_people.Organisation", on_delete=models.DO_NOTHING)\n',
            "    launched = models.DateField(null=True)\n",
            '    product = models.ForeignKey("layertrade.Product", on_delete=models.DO_NOTHING)\n',
            'related_name="layertrade_shelfitem_substitute"',
            'to_field="code"',
            "    # a foreign key to layerstock_depot.id, which is not copied\n",
            "    depot_id = models.BigIntegerField()\n",
            '    check_0 = models.IntegerField(db_column="check")\n',
            '    class_field = models.IntegerField(db_column="class")\n',
            '    pk = models.CompositePrimaryKey("product", "year")\n',
            "    # oddity is not copied: Django has no field for ",
            '        db_table = "layertrade_shelf_item"\n',
        ):
            self.assertIn(line, text)
        self.assertIn("layertrade/ exists and is not installed", self.refused("import_mirror_models", "layertrade"))

        self.install("layertrade")
        before = self.sources()
        self.assertTrue(self.do("import_mirror_models", "layertrade").endswith("Nothing to change.\n"))
        self.assertEqual(self.sources(), before)
        self.assertIn(" Errors: 0. Other differences: 1.", self.do("check_mirror"))
        self.do("check")
        self.do("makemigrations", "layertrade")
        self.project.write({**SEEDS, "layertrade/tests.py": THEIR_TEST})
        words = ("test", "layertrade", "databases.mirror.tests.test_mirror.HierarchyTests")
        environment = {**self.environment(), "DJANGO_SETTINGS_MODULE": "databases.mirror.tests.small_settings_test"}
        tested = self.project.command(*words, **environment)
        self.assertIn("Ran 5 tests", tested.stderr)
        self.assertEqual(tested.returncode, 0, tested.stderr)

    def test_chosen_tables_go_into_one_app_whose_name_is_not_taken(self):
        said = self.do("import_mirror_models", "--tables", "layertrade_p*", "layerstock_depot", "--into", "auth")
        self.assertIn("The app 'auth' becomes 'upstream_auth'", said)
        text = (self.project.path / "upstream_auth/models.py").read_text()
        self.assertEqual(text.count("\nclass "), 2)
        self.assertIn("class Depot(MirrorModel):", text)
        config = (self.project.path / "upstream_auth/apps.py").read_text()
        self.assertIn('class UpstreamAuthConfig(AppConfig):\n    name = "upstream_auth"\n', config)
        self.install("upstream_auth")
        # A copy in another app is found by its table, and relations lead to it.
        self.do("import_mirror_models", "layertrade")
        self.assertIn(
            'models.ForeignKey("upstream_auth.Depot"', (self.project.path / "layertrade/models.py").read_text()
        )

    def test_invalid_requests_are_refused_and_nothing_is_written(self):
        refused = {
            ("tarde",): "The mirror has no app 'tarde'. There are: ",
            (
                "--tables",
                "layertrade_*",
                "nope_*",
                "--into",
                "layertrade",
            ): "The mirror has no table 'nope_*'. There are: ",
            ("--tables", "layertrade_*"): "--tables and --into need each other.",
            ("layertrade", "--all"): "Name apps, or use --all, or --tables with --into: one of the three.",
            (): "Name apps, or use --all, or --tables with --into: one of the three.",
        }
        for words, says in refused.items():
            with self.subTest(words):
                self.assertIn(says, self.refused("import_mirror_models", *words))
