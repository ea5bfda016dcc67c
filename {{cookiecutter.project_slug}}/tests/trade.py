"""Tables of the other application that this project has no copies of yet, and a copy of the project to import them."""

# ruff: noqa: DJ008

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections, models
from django.test import TransactionTestCase
from django.test.utils import isolate_apps

from accounts.models import Organisation

from . import production

#: A type of each engine that Django has no field for.
UNKNOWN_TYPES = {"postgresql": "tsvector", "mysql": "year", "sqlite": "geopoly"}


def upstream_models(later: bool = False) -> list[type[models.Model]]:
    """Return the other application's models, which no registry here knows, as they are or as they become later."""

    def meta(table: str) -> type:
        return type("Meta", (), {"app_label": "accounts", "db_table": table})

    def key(to: Any, **options: Any) -> models.ForeignKey:
        return models.ForeignKey(to, on_delete=models.CASCADE, related_name="+", **options)

    with isolate_apps("accounts"):

        class Depot(models.Model):
            Meta = meta("stock_depot")

        class Product(models.Model):
            Meta = meta("trade_product")
            title = models.CharField(max_length=80 if later else 50, null=later)
            price = models.DecimalField(max_digits=10 if later else 8, decimal_places=2)
            launched = models.DateTimeField(null=True) if later else models.DateField(null=True)
            code = models.SlugField(unique=True)
            producer = key(Organisation)
            if later:
                stock_level = models.IntegerField(null=True, db_column="Stock Level")
            else:
                sold_out = models.BooleanField()

        class ShelfItem(models.Model):
            Meta = meta("trade_shelf_item")
            product = key(Product)
            substitute = key(Product, null=True)
            code = key(Product, to_field="code", db_column="product_code")
            label = models.OneToOneField(Product, on_delete=models.CASCADE, related_name="+")
            depot = key(Depot)
            check_ = models.IntegerField(db_column="check")
            kind = models.IntegerField(db_column="class")

        class YearPrice(models.Model):
            Meta = meta("trade_year_price")
            pk = models.CompositePrimaryKey("product", "year")
            product = key(Product)
            year = models.IntegerField()

    return [Depot, Product, ShelfItem, YearPrice]


class TradeTestCase(TransactionTestCase):
    """Makes the tables for each test, and takes them away before the database is flushed."""

    databases = {"mirror"}
    commands: production.Commands | None = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.project = production.copy_of_project(folder.name)
        for model in upstream_models():
            self.change(lambda editor, model=model: editor.create_model(model))
            self.addCleanup(self.change, lambda editor, model=model: editor.delete_model(model))
        unknown = UNKNOWN_TYPES[connections["mirror"].vendor]
        self.change(lambda editor: editor.execute(f"ALTER TABLE trade_product ADD COLUMN oddity {unknown}"))
        self.change(lambda editor: editor.execute("CREATE TABLE trade_log (message VARCHAR(20))"))
        self.addCleanup(self.change, lambda editor: editor.execute("DROP TABLE trade_log"))

    def change(self, statement: Callable[[Any], object]) -> None:
        """Change the tables, as their owner may."""
        with connections["mirror"].schema_editor() as editor:
            statement(editor)

    def environment(self) -> dict[str, str]:
        """Return where the copied project's databases are, with the mirror as it is now."""
        primary = f"sqlite:///{self.folder}/primary.sqlite3"
        return {"DATABASE_URL": primary, "MIRROR_DATABASE_URL": production.url_of("mirror", self.folder)}

    def run_command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the copied project in production, which is started unless it runs."""
        if self.commands is None:
            self.commands = production.Commands(project=self.project, **self.environment())
            self.addCleanup(self.commands.close)
        return self.commands.run(*words)

    def restart(self) -> None:
        """Let the next command know of the sources and the mirror as they are by then."""
        self.commands = None

    def do(self, *words: str) -> str:
        """Run a command that must succeed, and return what it says."""
        process = self.run_command(*words)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        return process.stdout

    def refused(self, *words: str) -> str:
        """Run a command that must write nothing and fail in one line, and return that line."""
        before = self.sources()
        process = self.run_command(*words)
        self.assertEqual((process.returncode, process.stderr.count("\n")), (1, 1), process.stderr)
        self.assertEqual(self.sources(), before)
        return process.stderr

    def install(self, *apps: str) -> None:
        """Do as the command says: add apps to the settings, which the next command knows."""
        settings = self.project / "config/settings.py"
        lines = "".join(f'    "{app}",\n' for app in apps)
        settings.write_text(settings.read_text().replace('    "materials",\n', f'    "materials",\n{lines}'))
        self.restart()

    def sources(self) -> dict[Path, bytes]:
        """Return every file of the project."""
        return {path: path.read_bytes() for path in self.project.rglob("*") if path.is_file() and path.suffix != ".pyc"}
