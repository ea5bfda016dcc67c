"""The layer's modules import each other in one direction only, so that a role can be deleted with its folder.

Reads the imports from the sources. A module that imports another inside of a function does so when it is called, so
this counts for everything but cycles. What only a type checker imports counts for nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from django.conf import settings
from django.test import SimpleTestCase

from databases.tests import production

ROLES = {"mirror", "secondary", "replicas", "tenants", "fleet"}
#: Folders of `databases/` that are in some projects only, so the core imports none of them.
OPTIONAL = {*ROLES, "foreign"}
#: What a role may import of another one.
ALLOWED = {("fleet", "tenants")}
#: Names of folders and modules that production does not need.
FOR_TESTS = {"tests", "testing", "settings_test"}


class Import(NamedTuple):
    """One import: the module that imports, the module that is imported, and whether that happens in a function."""

    importer: str
    imported: str
    is_late: bool

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported}"


def imports_in(project: Path) -> list[Import]:
    """Return the imports of all modules in the project's folder `databases`."""
    modules = {_name_of(path.relative_to(project)): path for path in project.glob("databases/**/*.py")}
    return [found for name, path in modules.items() for found in _imports_of(name, path, modules)]


def _name_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_of(name: str, path: Path, modules: dict[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, is_late in _statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, is_late)
        else:
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                # `from package import module` imports the module; `from module import name` that module.
                submodule = f"{source}.{alias.name}"
                yield Import(name, submodule if submodule in modules else source, is_late)


def _statements(tree: ast.AST, is_late: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_late
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _statements(node, is_late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def across_roles(imports: list[Import]) -> list[str]:
    """Return imports of a role by another role, or by the core."""
    pairs = [(each, _folder_of(each.importer), _folder_of(each.imported)) for each in imports]
    return [
        str(each)
        for each, here, there in pairs
        if there in OPTIONAL
        and here != there
        and (here, there) not in ALLOWED
        and (here not in ROLES or there in ROLES)
    ]


def for_tests_only(imports: list[Import]) -> list[str]:
    """Return imports by which a production module needs what is there for tests."""
    return [str(each) for each in imports if not _is_for_tests(each.importer) and _is_for_tests(each.imported)]


def of_examples(imports: list[Import]) -> list[str]:
    """Return imports of the project's own packages, which its user may delete."""
    return [str(each) for each in imports if each.imported.partition(".")[0] in own_packages()]


def own_packages() -> set[str]:
    """Return the names of the project's packages, without those of the layer and of the settings."""
    return {path.parent.name for path in settings.BASE_DIR.glob("*/__init__.py")} - {"databases", production.PACKAGE}


def cycle_in(imports: list[Import]) -> list[str]:
    """Return the modules of an import cycle, if there is one."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        if not each.is_late and each.imported.startswith("databases"):
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _folder_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "databases" and len(parts) > 1 else ""


def _is_for_tests(module: str) -> bool:
    return module.startswith("databases.") and not FOR_TESTS.isdisjoint(module.split("."))


class ImportTests(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.imports = imports_in(settings.BASE_DIR)

    def test_the_imports_are_found(self):
        found = {(each.importer, each.imported) for each in self.imports}
        self.assertIn(("databases", "databases.transactions"), found)
        self.assertIn(("databases.apps", "databases.registry"), found)

    def test_no_role_imports_another_and_the_core_imports_none(self):
        self.assertEqual(across_roles(self.imports), [])

    def test_production_imports_nothing_that_is_there_for_tests(self):
        self.assertEqual(for_tests_only(self.imports), [])

    def test_the_layer_imports_no_app_of_the_project(self):
        self.assertEqual(of_examples(self.imports), [])

    def test_no_modules_import_each_other(self):
        self.assertEqual(cycle_in(self.imports), [])


class BrokenLayerTests(SimpleTestCase):
    """The tests above fail for a layer that breaks a rule."""

    def imports(self, **sources: str) -> list[Import]:
        """Return the imports of a layer of these modules, whose names have `__` for each dot."""
        with TemporaryDirectory() as folder:
            for name, source in sources.items():
                path = Path(folder, "databases", *name.split("__")).with_suffix(".py")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(source)
            return imports_in(Path(folder))

    def test_a_role_that_imports_another_is_found(self):
        for line in (
            "import databases.tenants.context",
            "from databases.tenants import context",
            "from ..tenants import context",
            "def late():\n    from databases.tenants.context import use_tenant",
        ):
            with self.subTest(line):
                found = across_roles(self.imports(mirror__router=line, tenants__context="", foreign__mode=""))
                self.assertRegex(found[0], r"^databases.mirror.router imports databases.tenants")

    def test_a_core_that_imports_a_role_is_found(self):
        for name in ("registry", "tests__test_registry", "foreign__mode", "management__commands__databases"):
            found = across_roles(self.imports(**{name: "from databases.mirror import MirrorModel"}))
            self.assertEqual(found, [f"databases.{name.replace('__', '.')} imports databases.mirror"])
        self.assertNotEqual(across_roles(self.imports(registry="from databases.foreign import mode")), [])

    def test_what_is_allowed_is_not_found(self):
        rules = self.imports(
            fleet__move="from databases.tenants import context\nfrom databases.foreign.mode import is_test_database",
            mirror__router="from databases import registry\nfrom .errors import MirrorWriteError",
            mirror__tests__test_router="from databases.testing.settings import LAYER",
            registry="if TYPE_CHECKING:\n    from databases.mirror import MirrorModel",
        )
        self.assertEqual(across_roles(rules) + for_tests_only(rules) + cycle_in(rules), [])

    def test_a_production_module_that_needs_tests_is_found(self):
        for line in (
            "from databases.testing import settings",
            "from .settings_test import configure",
            "from databases.mirror.tests.people.models import Member",
            "def late():\n    from databases.mirror import testing",
        ):
            with self.subTest(line):
                found = for_tests_only(self.imports(mirror__router=line, mirror__testing="", testing__settings=""))
                self.assertEqual(len(found), 1, found)

    def test_an_import_of_an_app_of_the_project_is_found(self):
        self.assertEqual(len(of_examples(self.imports(tests__test_x="from databases.tests import production"))), 0)
        for own in own_packages():
            found = of_examples(self.imports(tests__test_x=f"from {own}.models import Thing"))
            self.assertEqual(found, [f"databases.tests.test_x imports {own}.models"])

    def test_a_cycle_is_found_unless_one_import_is_late(self):
        one, two = "from databases import two", "from databases import one"
        self.assertEqual(set(cycle_in(self.imports(one=one, two=two))), {"databases.one", "databases.two"})
        self.assertEqual(cycle_in(self.imports(one=one, two=f"def late():\n    {two}")), [])
