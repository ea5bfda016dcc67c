"""Tables of the other application that this project has no copies of yet, and a small project that imports them."""

# ruff: noqa: DJ008

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections, models
from django.test.utils import isolate_apps

from databases.foreign.tests.schema_case import SchemaTestCase
from databases.foreign.tests.small_project import SmallProject
from databases.mirror.tests.people.models import Organisation
from databases.tests import production

#: A type of each engine that Django does not write, and a value of it.
ODD = {"postgresql": ("money", "'$1.50'"), "mysql": ("SET('odd', 'even')", "'odd'"), "sqlite": ("geopoly", "'odd'")}


def upstream_models() -> list[type[models.Model]]:
    """Return the other application's models. No app registry has them."""

    def meta(table: str, **options: Any) -> type:
        return type("Meta", (), {"app_label": "layer_people", "db_table": table, **options})

    def key(to: Any, **options: Any) -> models.ForeignKey:
        return models.ForeignKey(to, on_delete=models.CASCADE, related_name="+", **options)

    with isolate_apps("databases.mirror.tests.people"):

        class Depot(models.Model):
            Meta = meta("layerstock_depot")

        class Product(models.Model):
            Meta = meta("layertrade_product")
            title = models.CharField(max_length=50)
            price = models.DecimalField(max_digits=8, decimal_places=2)
            launched = models.DateField(null=True)
            code = models.SlugField(unique=True)
            producer = key(Organisation)
            check_ = models.IntegerField(null=True, db_column="check")
            kind = models.IntegerField(null=True, db_column="class")
            percent = models.IntegerField(null=True, db_column="per%cent")

        class ProductMakers(models.Model):
            Meta = meta("layertrade_product_makers", unique_together=[["product", "organisation"]])
            product = key(Product)
            organisation = key(Organisation)

        class ShelfItem(models.Model):
            Meta = meta("layertrade_shelf_item")
            product = key(Product)
            substitute = key(Product, null=True)
            code = key(Product, to_field="code", db_column="product_code")
            label = models.OneToOneField(Product, on_delete=models.CASCADE, related_name="+")
            depot = key(Depot)

        class YearPrice(models.Model):
            Meta = meta("layertrade_year_price")
            pk = models.CompositePrimaryKey("product", "year")
            product = key(Product)
            year = models.IntegerField()

    return [Depot, Product, ProductMakers, ShelfItem, YearPrice]


class TradeTestCase(SchemaTestCase):
    """Creates the tables once for each class, and an empty project for each test.

    One process answers the commands of all tests, until a test has changed sources that it has loaded.
    """

    databases = {"mirror"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.project = SmallProject(f"{folder.name}/project", "databases.mirror.tests.small_settings")
        cls.project.write({"apps.txt": ""})
        cls.create_tables()
        cls.addClassCleanup(cls.drop_tables)
        cls.shared = cls.start()

    @classmethod
    def create_tables(cls) -> None:
        kind, value = ODD[connections["mirror"].vendor]
        with connections["mirror"].schema_editor() as editor:
            for model in upstream_models():
                editor.create_model(model)
            editor.execute(f"ALTER TABLE layertrade_product ADD COLUMN oddity {kind} DEFAULT {value}")
            editor.execute("CREATE TABLE layertrade_log (message VARCHAR(20))")
            editor.execute("CREATE VIEW layertrade_title AS SELECT id, title FROM layertrade_product")

    @classmethod
    def drop_tables(cls) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.execute("DROP VIEW layertrade_title")
            for model in reversed(upstream_models()):
                editor.delete_model(model)
            editor.execute("DROP TABLE layertrade_log")

    @classmethod
    def start(cls) -> production.Commands:
        """Start a process that knows the sources as they are now."""
        commands = cls.project.start(**cls.environment())
        cls.addClassCleanup(commands.close)
        return commands

    @classmethod
    def environment(cls) -> dict[str, str]:
        """Return where the project's databases are. On SQLite this also copies the mirror as it is now."""
        primary = f"sqlite:///{cls.folder}/primary.sqlite3"
        return {"DATABASE_URL": primary, "MIRROR_DATABASE_URL": production.url_of("mirror", cls.folder)}

    def setUp(self):
        for path in self.project.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        self.project.write({"apps.txt": ""})
        self.commands = self.shared

    def change(self, statement: Callable[[Any], object]) -> None:
        """Change the tables, as their owner may."""
        with connections["mirror"].schema_editor() as editor:
            statement(editor)
        self.environment()

    def do(self, *words: str) -> str:
        """Run a command that must succeed, and return its output."""
        process = self.commands.run(*words)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        return process.stdout

    def refused(self, *words: str) -> str:
        """Run a command that must write nothing and fail with one line, and return that line."""
        before = self.sources()
        process: subprocess.CompletedProcess[str] = self.commands.run(*words)
        self.assertEqual((process.returncode, process.stderr.count("\n")), (1, 1), process.stderr)
        self.assertEqual(self.sources(), before)
        return process.stderr

    def install(self, *apps: str) -> None:
        """Install apps, as the command says, in a new process."""
        self.project.write({"apps.txt": " ".join(apps)})
        self.commands = self.start()

    def sources(self) -> dict[Path, bytes]:
        return self.project.sources()
