"""Finds model classes in files that nothing imported: Django cannot see those, and makes no table for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.db.models import Model

#: Folders whose files are imported when they are needed, not with the app.
ELSEWHERE = {"migrations", "tests", "__pycache__"}


def model_names() -> set[str]:
    """Return the names of all loaded model classes, abstract ones too."""
    names, todo = {"Model"}, [Model]
    while todo:
        subclasses = todo.pop().__subclasses__()
        names.update(model.__name__ for model in subclasses)
        todo.extend(subclasses)
    return names


def stray_classes(folder: Path, imported: set[Path], known: set[str]) -> Iterator[tuple[Path, str]]:
    """Yield `(file, complaint)` for each concrete model below `folder` in a file that is not in `imported`.

    Arguments: the app's folder, the files of all loaded modules, and the names that count as a model's base. Bases are
    compared by name: a class of a file that was never run has no other identity.
    """
    classes: list[tuple[Path, ast.ClassDef]] = []
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder).parts
        if path in imported or ELSEWHERE.intersection(inside) or path.name.startswith(("test_", "conftest")):
            continue
        try:
            # Bytes, not text: Python itself then honours the file's encoding line.
            classes += [(path, node) for node in _classes(ast.parse(path.read_bytes()).body)]
        except (SyntaxError, ValueError) as error:
            yield path, f"cannot be parsed ({error}), so nobody knows which models it holds."
    models = _fixpoint([node for _, node in classes], set(known))
    for path, node in classes:
        if node.name in models and _bases(node) & models and not _is_abstract(node):
            yield path, f"class {node.name} is a model, but nothing imports this file."


def _fixpoint(nodes: list[ast.ClassDef], names: set[str]) -> set[str]:
    """Return `names` with every class that derives from one of them, through however many files."""
    while added := {node.name for node in nodes if _bases(node) & names} - names:
        names |= added
    return names


def _classes(statements: list[ast.stmt]) -> Iterator[ast.ClassDef]:
    """Yield the classes that importing the module would define: those at its top, also behind `if` and `try`."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            yield statement
        elif isinstance(statement, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(statement.test):
                yield from _classes(statement.body)
            yield from _classes(statement.orelse)
        elif isinstance(statement, ast.Try):
            handlers = [inner for handler in statement.handlers for inner in handler.body]
            yield from _classes([*statement.body, *handlers, *statement.orelse, *statement.finalbody])
        elif isinstance(statement, ast.With):
            yield from _classes(statement.body)


def _bases(node: ast.ClassDef) -> set[str]:
    names = set()
    for base in node.bases:
        if isinstance(base, ast.Subscript):
            base = base.value
        if isinstance(base, ast.Attribute):
            names.add(base.attr)
        elif isinstance(base, ast.Name):
            names.add(base.id)
    return names


def _is_abstract(node: ast.ClassDef) -> bool:
    return any(
        isinstance(inner, ast.ClassDef)
        and inner.name == "Meta"
        and any(ast.unparse(line) == "abstract = True" for line in inner.body)
        for inner in node.body
    )
