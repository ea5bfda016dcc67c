"""Tables of the mirror become models, in a small project in production."""

from __future__ import annotations

from django.core.management import CommandError
from django.db import connections

from databases.foreign.columns import is_unusable
from databases.foreign.files import concrete_class
from databases.foreign.naming import app_for
from databases.foreign.tests.small_project import SEEDS
from databases.mirror.source import SOURCE
from databases.mirror.tests.trade_project import TradeTestCase

#: A test that a user may write for the copied models.
THEIR_TEST = """
from django.test import TestCase
from databases.mirror.tests.people.models import Organisation
from layertrade.models import Product, ProductMakers, YearPrice

class TradeTests(TestCase):
    databases = {"mirror"}

    def test_rows(self):
        producer = Organisation.objects.create(name="Black Mesa")
        Product.objects.create(title="Crowbar", price="9.99", code="bar", producer=producer, oddity="odd")
        product = Product.objects.select_related("producer").get(oddity="odd")
        self.assertEqual(product.producer.name, "Black Mesa")
        YearPrice.objects.create(product=product, year=1998)
        self.assertEqual(YearPrice.objects.get(pk=(product.pk, 1998)).product, product)
        ProductMakers.objects.create(product=product, organisation=producer)
        self.assertEqual([*product.makers.all()], [producer])
"""
#: What the owner of the project makes of the classes.
YOURS = """
from django.db import models
from . import upstream
from . import upstream as theirs

class Article(upstream.Product):
    title = models.CharField(max_length=99)

    def shout(self):
        return self.title.upper()

class ProductMakers(upstream.ProductMakers):
    product = models.ForeignKey(Article, models.DO_NOTHING)

class YearPrice(theirs.YearPrice): ...
"""
ASK = """
import json
from layertrade.models import Article
print(json.dumps([Article._meta.get_field(name).max_length for name in ("title", "code")]))
"""


class ImportTests(TradeTestCase):
    def text(self, name: str) -> str:
        return (self.project.path / name).read_text(encoding="utf-8")

    def test_imported_models_are_installed_migrated_and_used(self):
        untouched = self.sources()
        said = self.do("import_mirror_models", "layertrade", "--dry-run")
        self.assertIn("+++ layertrade/models/upstream.py\n", said)
        self.assertIn("+class ShelfItem(MirrorModel):\n", said)
        self.assertEqual(self.sources(), untouched)

        said = self.do("import_mirror_models", "layertrade")
        for line in (
            "layertrade_log is left out: it has no primary key that Django can use\n",
            "layertrade_product.per%cent is left out: Django cannot use such names\n",
            "Tables copied: 4. Left out: 1.\n",
            'settings.py:\n    "layertrade",\n',
            'APP_DATABASES in databases.py:\n    "layertrade": "mirror",\n',
        ):
            self.assertIn(line, said)
        text = self.text("layertrade/models/upstream.py")
        for line in (
            "class ShelfItem(MirrorModel):",
            '    producer = models.ForeignKey("layer_people.Organisation", models.DO_NOTHING, related_name="layert',
            "    launched = models.DateField(null=True)\n",
            '    product = models.ForeignKey("layertrade.Product", models.DO_NOTHING)\n',
            'to_field="code", related_name="layertrade_shelfitem_product_code"',
            "models.OneToOneField(",
            "    depot_id = models.BigIntegerField()  # a foreign key to layerstock_depot.id, which is not copied\n",
            '    check_0 = models.IntegerField(null=True, db_column="check")\n',
            '    class_field = models.IntegerField(null=True, db_column="class")\n',
            '    # "per%cent" is left out: Django cannot use such names\n',
            '    pk = models.CompositePrimaryKey("product", "year")\n',
            '    makers = models.ManyToManyField("layer_people.Organisation", through="layertrade.ProductMakers", ',
            '        unique_together = [["product", "organisation"]]\n',
            '        db_table = "layertrade_shelf_item"\n',
            '\n\n# Log is left out, "layertrade_log": it has no primary key that Django can use\n',
        ):
            self.assertIn(line, text)
        self.assertIn("\n\nclass ShelfItem(upstream.ShelfItem): ...\n", self.text("layertrade/models/__init__.py"))

        self.install("layertrade")
        before = self.sources()
        said = self.do("import_mirror_models")
        self.assertIn("layertrade_log is left out", said)
        self.assertTrue(said.endswith("Nothing to change.\n"), said)
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

    def test_what_you_write_stays_and_the_rest_follows_the_tables(self):
        self.do("import_mirror_models", "layertrade")
        self.project.write({"layertrade/models/__init__.py": YOURS})
        self.install("layertrade")
        with connections["mirror"].schema_editor() as editor:
            editor.execute("ALTER TABLE layertrade_product ADD COLUMN mood INTEGER NULL")
        self.addCleanup(self.drop_mood)
        self.environment()
        said = self.do("import_mirror_models", "--dry-run")
        self.assertIn("\n+    mood = models.IntegerField(null=True)\n", said)
        self.assertNotIn("+class", said)
        said = self.do("import_mirror_models")
        self.assertIn("Tables copied: 3. Left out: 1.\n", said)
        self.assertTrue(said.endswith("makemigrations layertrade\n"), said)
        self.assertEqual(self.text("layertrade/models/__init__.py"), YOURS)
        text = self.text("layertrade/models/upstream.py")
        self.assertIn("    mood = models.IntegerField(null=True)\n", text)
        # A class that you deleted is gone; relations lead to your class, whatever its name.
        self.assertNotIn("ShelfItem", text)
        self.assertIn('"layertrade.Article"', text)
        self.install("layertrade")
        self.assertEqual(self.project_says(ASK), "[99, 50]\n")
        self.assertIn("title' has max_length=50", self.do("check_mirror"))

    def drop_mood(self) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.execute("ALTER TABLE layertrade_product DROP COLUMN mood")

    def project_says(self, code: str) -> str:
        process = self.project.python("-c", f"import django; django.setup()\n{code}", **self.environment())
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def test_a_class_stays_when_its_table_is_gone(self):
        self.do("import_mirror_models", "layertrade")
        self.install("layertrade")
        with connections["mirror"].schema_editor() as editor:
            editor.execute("ALTER TABLE layertrade_year_price RENAME TO layertrade_elsewhere")
        self.addCleanup(self.rename_back)
        self.environment()
        said = self.do("import_mirror_models")
        self.assertIn("layertrade_year_price is left out: is missing. Its class stays as it was\n", said)
        self.assertTrue(said.endswith("Nothing to change.\n"), said)

    def rename_back(self) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.execute("ALTER TABLE layertrade_elsewhere RENAME TO layertrade_year_price")

    def test_a_view_is_copied_with_the_key_that_is_chosen(self):
        self.do("import_mirror_models", "--view", "layertrade_title:id", "--into", "layertrade")
        text = self.text("layertrade/models/upstream.py")
        self.assertIn('class LayertradeTitle(MirrorModel):\n    chosen_key = "id"\n', text)
        self.assertRegex(text, r"\n    id = models\.\w+\(primary_key=True\)\n")
        self.install("layertrade")
        said = self.do("import_mirror_models")
        self.assertTrue(said.endswith("Tables copied: 1. Left out: 0.\nNothing to change.\n"), said)
        self.assertIn(" Errors: 0. Other differences: 0.", self.do("check_mirror"))
        self.project.write({"layertrade/models/__init__.py": ""})
        self.install("layertrade")
        self.do("import_mirror_models")
        self.assertNotIn("class ", self.text("layertrade/models/upstream.py"))
        self.assertEqual(self.text("layertrade/models/__init__.py"), "")
        said = self.do("import_mirror_models", "--view", "layertrade_log:nope", "--into", "layertrade")
        self.assertIn("layertrade_log is left out: it has no primary key that Django can use\n", said)

    def test_an_app_for_tables_that_are_left_out_is_not_created(self):
        said = self.do("import_mirror_models", "--tables", "layertrade_log", "--into", "logs")
        self.assertIn("layertrade_log is left out: it has no primary key that Django can use\n", said)
        self.assertTrue(said.endswith("Tables copied: 0. Left out: 1.\nNothing to change.\n"), said)
        self.assertFalse((self.project.path / "logs").exists())

    def test_an_app_gets_a_name_that_no_package_here_has(self):
        names = {"json": "upstream_json", "class": "upstream_class", "auth": "upstream_auth", "layershop": "layershop"}
        self.assertEqual({label: app_for(label, set(), "mirror") for label in names}, names)
        self.assertEqual(app_for("json", {"json"}, "mirror"), "json")
        with self.assertRaisesMessage(CommandError, "There is no name for the app 'a-b'"):
            app_for("a-b", set(), "mirror")

    def test_a_name_that_the_filter_refuses_is_left_out(self):
        found = {name: is_unusable(SOURCE, name) for name in ("a;b", "for update", "a b")}
        self.assertEqual(found, {"a;b": True, "for update": True, "a b": False})

    def test_a_class_of_a_long_name_fits_the_line(self):
        self.assertEqual(concrete_class("Item"), "class Item(upstream.Item): ...")
        long = "Item" * 15
        self.assertEqual(concrete_class(long), f"class {long}(\n    upstream.{long}\n): ...")

    def test_chosen_tables_go_into_one_app_whose_name_is_not_taken(self):
        self.do("import_mirror_models", "--tables", "layertrade_p*", "layerstock_depot", "--into", "auth")
        text = self.text("upstream_auth/models/upstream.py")
        self.assertEqual(text.count("\nclass "), 3)
        self.assertIn("class LayerstockDepot(MirrorModel):", text)
        config = self.text("upstream_auth/apps.py")
        self.assertIn('class UpstreamAuthConfig(AppConfig):\n    name = "upstream_auth"\n', config)
        self.install("upstream_auth")
        # A copy in another app is found by its table, and relations lead to it.
        self.do("import_mirror_models", "layertrade")
        self.assertIn('models.ForeignKey("upstream_auth.LayerstockDepot"', self.text("layertrade/models/upstream.py"))

    def test_a_models_package_of_yours_is_continued(self):
        self.project.write({"layertrade/models/__init__.py": "", "layertrade/__init__.py": ""})
        file = self.project.path / "layertrade/models/__init__.py"
        file.write_bytes(b"# Mine.\r\n")
        self.install("layertrade")
        self.do("import_mirror_models", "layertrade")
        text = file.read_bytes()
        start = b"# Mine.\n\nfrom . import upstream  # noqa: E402\n\n\nclass ".replace(b"\n", b"\r\n")
        self.assertTrue(text.startswith(start), text)
        self.assertEqual(text.count(b"\n"), text.count(b"\r\n"))
        self.install("layertrade")
        self.assertIn(" Errors: 0.", self.do("check_mirror"))
        self.do("import_mirror_models", "--tables", "layerstock_depot", "--into", "layertrade")
        more = b"\n\nclass LayerstockDepot(upstream.LayerstockDepot): ...\n".replace(b"\n", b"\r\n")
        self.assertEqual(file.read_bytes(), text + more)

    def test_invalid_requests_are_refused_and_nothing_is_written(self):
        both = "Write --into with --tables, --view or --schema: each needs the other."
        refused = {
            ("tarde",): "The mirror has no app tarde. Name one of: ",
            ("--tables", "layertrade_*", "nope_*", "--into", "layertrade"): "The mirror has no table 'nope_*'. Name o",
            ("--view", "layertrade_title", "--into", "x"): "The mirror has no view 'layertrade_title': write --view N",
            ("--tables", "layertrade_*"): both,
            ("--into", "layertrade"): both,
            ("--schema", "nope", "--into", "layertrade"): "The mirror has no schema 'nope'",
            ("--all", "--tables", "layertrade_*", "--into", "x"): "Name apps or --all in one run, and --into in anothe",
        }
        for words, says in refused.items():
            with self.subTest(words):
                self.assertIn(says, self.refused("import_mirror_models", *words))
        self.project.write({"layertrade/models.py": "", "layertrade/__init__.py": ""})
        self.install("layertrade")
        (self.project.path / "layertrade/models.py").unlink()
        self.project.write({"layertrade/models/__init__.py": ""})
        (self.project.path / "layertrade/models/__init__.py").write_bytes(b"# -*- coding: latin-1 -*-\n# caf\xe9\n")
        says = "models/__init__.py is not UTF-8: convert it first. Nothing was written."
        self.assertIn(says, self.refused("import_mirror_models", "--tables", "layertrade_*", "--into", "layertrade"))
        self.project.write({"layertrade/models.py": ""})
        says = "layertrade/models.py is in the way: make it layertrade/models/__init__.py first."
        self.assertIn(says, self.refused("import_mirror_models", "--tables", "layertrade_*", "--into", "layertrade"))
