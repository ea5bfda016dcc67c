"""The text of copied models, formatted like `ruff format`, and changes in files that people have edited.

A file is changed at positions from its syntax tree, so that every other byte stays.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

WIDTH = 120
#: Copies have null=True where upstream has it, and an import cannot write a useful `__str__`.
RUFF_EXCEPTIONS = "# ruff: noqa: DJ001, DJ008\n"
HEAD = f"""{RUFF_EXCEPTIONS}
from django.db import models

from databases.mirror import MirrorModel
"""
#: Names that the text of copies uses, and the modules to import them from.
NAMES = {"models": "django.db", "MirrorModel": "databases.mirror"}
KEY_COMMENT = "# a foreign key to "

Assignment = ast.Assign | ast.AnnAssign


class SourceError(Exception):
    """A file cannot be changed as it is. The message continues a sentence that begins with its path."""


@dataclass
class FieldText:
    """A field: its name, class and arguments, and a comment above it. Without a class there is only the comment."""

    name: str
    cls: str = ""
    arguments: list[str] = field(default_factory=list)
    comment: str = ""

    def call(self) -> str:
        """Return the expression of the field."""
        return _call(f"    {self.name} = ", f"models.{self.cls}", self.arguments)

    def __str__(self) -> str:
        comment = f"    {textwrap.shorten(self.comment, WIDTH - 4, placeholder=' …')}\n" if self.comment else ""
        return comment + (f"    {self.name} = {self.call()}\n" if self.cls else "")


def literal(value: object) -> str:
    """Return a value as Python source, with texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def model_text(name: str, table: str, fields: list[FieldText]) -> str:
    """Return the class of a copy."""
    body = "".join(map(str, fields))
    return f"\n\nclass {name}(MirrorModel):\n{body}\n    class Meta:\n        db_table = {literal(table)}\n"


def _call(before: str, name: str, words: list[str]) -> str:
    """Return a call, split into lines where needed. `before` is the text before it on its line."""
    line = f"{name}({', '.join(words)})"
    if len(before + line) <= WIDTH:
        return line
    indent = " " * (len(before) - len(before.lstrip()))
    inner = f"{indent}    {', '.join(words)}"
    if len(inner) > WIDTH:
        inner = "\n".join(f"{indent}    {word}," for word in words)
    return f"{name}(\n{inner}\n{indent})"


class SourceFile:
    """A Python file and the planned changes in it."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        try:
            self._text = source.decode()
            self._tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            raise SourceError(f"cannot be read as Python in UTF-8 ({error})") from None
        self._lines = source.splitlines(keepends=True)
        imports = [node for node in ast.walk(self._tree) if isinstance(node, ast.ImportFrom)]
        self._imported = {alias.asname or alias.name for node in imports for alias in node.names}
        self._edits: list[tuple[int, int, str]] = []
        self._classes = ""

    def result(self) -> bytes:
        """Return the changed file. Raises `SourceError` for a syntax error or a missing import."""
        if not self._edits and not self._classes:
            return self.source
        result = self.source
        newline = b"\r\n" if b"\r\n" in result else b"\n"
        # From the end, so that earlier positions stay valid. Edits at one position keep their order.
        in_order = sorted(self._edits, key=lambda edit: edit[0])
        for start, end, text in reversed(in_order):
            result = result[:start] + text.encode().replace(b"\n", newline) + result[end:]
        added = "".join(text for *_, text in self._edits) + self._classes
        appended = self._classes
        if RUFF_EXCEPTIONS.strip() not in self._text and ("null=True" in added or appended):
            appended = f"\n\n{RUFF_EXCEPTIONS}{appended}"
        if appended:
            result = result.rstrip() + newline + appended.encode().replace(b"\n", newline)
        for name, origin in NAMES.items():
            if re.search(rf"\b{name}\b", added) and name not in self._imported:
                raise SourceError(f"does not import {name}: add `from {origin} import {name}`")
        return SourceFile(result).source

    def fields(self, cls: str) -> dict[str, Assignment]:
        """Return the assignments of a class by name."""
        found: dict[str, Assignment] = {}
        for statement in self._class(cls).body:
            if isinstance(statement, Assignment) and statement.value:
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                found[ast.unparse(target)] = statement
        return found

    def append(self, text: str) -> None:
        """Add a class at the end of the file."""
        self._classes += text

    def add(self, cls: str, names: set[str], new: FieldText) -> None:
        """Add a field to a class, after the last of its fields `names`, or at its top if it has none."""
        node = self._class(cls)
        if node.body[0].lineno == node.lineno:
            raise SourceError(f"has the whole class {cls} in line {node.lineno}")
        last = max((each.end_lineno or 0 for name, each in self.fields(cls).items() if name in names), default=0)
        text = textwrap.indent(str(new), " " * node.col_offset)
        at = self._offset(last + 1 if last else node.body[0].lineno, 0)
        self._edits.append((at, at, text if last else f"{text}\n"))

    def remove(self, statement: Assignment) -> None:
        """Remove a field, and the comment that an import has written above it."""
        first = statement.lineno
        if self._lines[first - 2].strip().startswith(KEY_COMMENT.encode()):
            first -= 1
        self._edits.append((self._offset(first, 0), self._offset((statement.end_lineno or first) + 1, 0), ""))

    def replace(self, statement: Assignment, new: FieldText) -> None:
        """Replace a field by another one with the same name."""
        self._edits.append((*self._span(statement.value), new.call()))

    def set_arguments(self, statement: Assignment, arguments: dict[str, object]) -> None:
        """Set keyword arguments of a field."""
        call = statement.value
        start, end = self._span(call)
        if not isinstance(call, ast.Call):
            raise SourceError(f"has no call of a field class in line {statement.lineno}")
        if b"#" in self.source[start:end]:
            raise SourceError(f"has a comment in that field in line {statement.lineno}")
        given = [*call.args, *call.keywords]
        words: dict[object, str] = {
            getattr(each, "arg", None) or number: self._segment(each) for number, each in enumerate(given)
        }
        words |= {name: f"{name}={literal(value)}" for name, value in arguments.items()}
        before = self._lines[call.lineno - 1][: call.col_offset].decode()
        self._edits.append((start, end, _call(before, self._segment(call.func), list(words.values()))))

    def _class(self, name: str) -> ast.ClassDef:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise SourceError(f"has no class {name}")

    def _offset(self, line: int, column: int) -> int:
        return sum(map(len, self._lines[: line - 1])) + column

    def _span(self, node: Any) -> tuple[int, int]:
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _segment(self, node: ast.AST) -> str:
        return ast.get_source_segment(self._text, node) or ast.unparse(node)
