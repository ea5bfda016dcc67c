"""Finds models in files that no module imports: Django does not know them and creates no table for them.

It parses the files without running them. It takes a class for a model if one of its bases has the name of a model.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from django.db.models import Model

#: Files and folders that Django does not import together with their app.
SKIPPED = {"migrations", "tests", "conftest"}


def unimported_models(folder: Path, base: type[Model]) -> Iterator[tuple[Path, str]]:
    """Yield `(file, problem)` for each concrete model in a file of the folder that has not been imported.

    Arguments: the folder of an app, and the base class of its models.
    """
    imported = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    classes: list[tuple[Path, ast.ClassDef, set[str]]] = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if path in imported or SKIPPED.intersection(parts) or path.name.startswith("test"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as error:
            yield path, f"cannot be parsed ({error}), so its models are unknown."
            continue
        renamed = {
            alias.asname: alias.name.rpartition(".")[2]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            if alias.asname
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(each).partition("[")[0].rpartition(".")[2] for each in node.bases}
                classes.append((path, node, {renamed.get(name, name) for name in names}))
    models = {"Model", base.__name__, *(each.__name__ for each in _subclasses(base))}
    # A base class may be defined in such a file too.
    while found := {node.name for _, node, names in classes if names & models} - models:
        models |= found
    for path, node, names in classes:
        if names & models and not _is_abstract(node):
            yield path, f"class {node.name} is a model, but nothing imports this file."


def _subclasses(base: type[Model]) -> Iterator[type[Model]]:
    for each in base.__subclasses__():
        yield each
        yield from _subclasses(each)


def _is_abstract(node: ast.ClassDef) -> bool:
    metas = [inner for inner in node.body if isinstance(inner, ast.ClassDef) and inner.name == "Meta"]
    return any(ast.unparse(line) == "abstract = True" for meta in metas for line in meta.body)
