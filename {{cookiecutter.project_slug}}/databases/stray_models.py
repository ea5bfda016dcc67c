"""Finds model classes in files that nothing imported: Django cannot see those, and makes no table for them.

The files are read, not run. A base class is looked up among the loaded modules; one that is not loaded is itself a
class of such a file, or not found: a model whose base comes from a package that nothing else uses is overlooked.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from django.db.models import Model

#: Files and folders that are imported when they are needed, not with the app.
ELSEWHERE = {"migrations", "tests", "conftest", "__pycache__"}
TYPES_ONLY = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


@dataclass(frozen=True)
class Source:
    """A class statement: where it stands, and its bases (objects, or names of what is not loaded)."""

    package: str
    path: Path
    name: str
    bases: list[Any]
    abstract: bool


def stray_classes(folders: dict[str, Path], imported: set[Path]) -> Iterator[tuple[str, Path, str]]:
    """Yield `(package, file, complaint)` for each concrete model in a file of the packages that is not imported.

    Arguments: the folder of each package, and the files of all loaded modules.
    """
    sources: list[Source] = []
    for path, package in _files(folders).items():
        if path in imported:
            continue
        try:
            # Bytes, not text: Python itself then honours the file's encoding line.
            sources += _sources(package, folders[package], path, ast.parse(path.read_bytes()))
        except (SyntaxError, ValueError) as error:
            yield package, path, f"cannot be parsed ({error}), so nobody knows which models it holds."
    for source in _models(sources):
        if not source.abstract:
            yield source.package, source.path, f"class {source.name} is a model, but nothing imports this file."


def _files(folders: dict[str, Path]) -> dict[Path, str]:
    """Return the package of each file; where packages are nested, the inner one."""
    files: dict[Path, str] = {}
    for package, folder in sorted(folders.items(), key=lambda item: len(item[1].parts), reverse=True):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if not ELSEWHERE.intersection(parts) and not path.name.startswith("test_"):
                files.setdefault(path, package)
    return files


def _models(sources: list[Source]) -> list[Source]:
    """Return those that derive from a model, through however many files."""
    names: set[str] = set()
    while True:
        models = [source for source in sources if any(_is_model(base, names) for base in source.bases)]
        if names == {source.name for source in models}:
            return models
        names = {source.name for source in models}


def _is_model(base: Any, names: set[str]) -> bool:
    if isinstance(base, str):
        return base in names
    return isinstance(base, type) and issubclass(base, Model)


def _sources(package: str, folder: Path, path: Path, tree: ast.Module) -> Iterator[Source]:
    if not (classes := list(_classes(tree.body))):
        return
    imports = _imports(tree, ".".join([package, *path.parent.relative_to(folder).parts]))
    for node in classes:
        yield Source(package, path, node.name, [_base(base, imports) for base in node.bases], _is_abstract(node))


def _imports(tree: ast.Module, package: str) -> dict[str, Any]:
    """Return what the names that a file imports stand for: the object or, where it is not loaded, its own name."""
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or module] = sys.modules.get(module)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            loaded = sys.modules.get(module)
            for alias in node.names:
                if alias.name == "*":
                    names.update(vars(loaded) if loaded else {})
                else:
                    submodule = sys.modules.get(f"{module}.{alias.name}", alias.name)
                    names[alias.asname or alias.name] = getattr(loaded, alias.name, submodule)
    return names


def _base(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Subscript):
        return _base(node.value, names)
    if isinstance(node, ast.Attribute):
        return getattr(_base(node.value, names), node.attr, node.attr)
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else None


def _classes(statements: list[Any]) -> Iterator[ast.ClassDef]:
    """Yield the classes that importing the module would define: those at its top, also behind `if` and `try`."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            yield statement
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) in TYPES_ONLY:
            yield from _classes(statement.orelse)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "handlers", "orelse", "finalbody"):
                yield from _classes(getattr(statement, part, []))


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(
        isinstance(inner, ast.ClassDef)
        and inner.name == "Meta"
        and any(ast.unparse(line) == "abstract = True" for line in inner.body)
        for inner in node.body
    )
