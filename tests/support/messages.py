"""Every message of the emitted layer, read from its code. `python -m tests.support.messages` writes them down."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tests.support.template import EMITTED, ROOT, emitted_files

PAGE = ROOT / "docs" / "reference" / "messages.md"
CHECK_ID = re.compile(r"databases\.[EWI]\d{3}")
#: What makes an error, a warning or a page of its first argument, besides the classes whose names end with "Error".
MAKERS = {"Error", "Info", "Warning", "ImproperlyConfigured", "SuspiciousFileOperation", "Http404", "unavailable"}
#: Names and arguments whose texts are part of other messages, and the functions that return or yield such texts.
PARTS = {"cause", "cure", "error", "late", "problem", "problems", "reason", "skipped", "undone", "State"}
PART_MAKERS = re.compile(r"problem|advice|unimported_models|why_\w+|_lags|_compare\w*|_differences|_limits|read_rights")
HEAD = """# Messages

Every error, warning and refusal of `databases/` and `config/`, as the code writes it: Python fills in what stands in
`{…}`. A *part* belongs to a longer message, or follows the name of a database or a tenant.
`python -m tests.support.messages` writes this page, and a test fails where it lacks a message.
"""


class Message(NamedTuple):
    """One text: its file, its kind (a class, the id of a check, `log`, `printed` or `part`), and the hint of a check."""

    file: str
    kind: str
    text: str
    hint: str = ""


def messages() -> list[Message]:
    """Return the messages of all emitted modules but tests, each once, in the order of the files."""
    files = [file for file in emitted_files() if re.match(r"(databases|config)/(?!.*\btests/).*\.py$", file)]
    trees = {file: ast.parse((EMITTED / file).read_text(encoding="utf-8")) for file in files}
    # Constants are imported from one module into another.
    shared = {name: values for tree in trees.values() for name, values in _assigned(tree).items() if name.isupper()}
    found: list[Message] = []
    for file, tree in trees.items():
        known = {**shared, **_assigned(tree)}
        found += [Message(file, *rest) for node in ast.walk(tree) for rest in _messages_of(node, known)]
    # Without those that only pass on the text of another error.
    return [each for each in dict.fromkeys(found) if each.kind.startswith("databases.") or re.search("[a-z]{2}", re.sub(r"\{.*?\}", "", each.text))]


def _assigned(tree: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id].append(node.value)
    return found


def _messages_of(node: ast.AST, known: dict[str, list[ast.expr]]) -> Iterator[tuple[str, ...]]:
    """Yield the kind, text and perhaps hint of what one node of a module says. Argument: its variables' values."""
    if isinstance(node, ast.Call | ast.Tuple):
        values = [*node.args, *(each.value for each in node.keywords)] if isinstance(node, ast.Call) else node.elts
        ids = [each.value for each in values if isinstance(each, ast.Constant) and CHECK_ID.match(str(each.value))]
        if ids:
            said = [_texts(each, known) for each in values if not isinstance(each, ast.List)]
            message, *hint = [each for each in said if each and " " in each[0]]
            yield from ((ids[0], each, " / ".join(chain(*hint))) for each in message)
            return
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if node.args and (last in MAKERS or last.endswith("Error")):
            yield from ((last, each) for each in _texts(node.args[0], known))
        elif node.args and (name.startswith("logger.") and last not in {"debug", "info"}):
            yield from (("log", each) for each in _texts(node.args[0], known))
        elif node.args and name.endswith(("stderr.write", "style.ERROR")):
            yield from (("printed", each) for each in _texts(node.args[0], known))
        elif name.endswith("problems.append") or last in PARTS:
            yield from (("part", each) for value in node.args for each in _texts(value, known))
        yield from (("part", each) for word in node.keywords if word.arg in PARTS for each in _texts(word.value, {}))
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).partition("[")[0] in PARTS:
        yield from (("part", each) for each in _texts(node.value, {}))
    elif isinstance(node, ast.FunctionDef) and PART_MAKERS.fullmatch(node.name):
        returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return | ast.Yield) and each.value]
        yield from (("part", each) for value in returned for each in _texts(value, {}) if " " in each)


def _texts(node: ast.expr, known: dict[str, list[ast.expr]]) -> list[str]:
    """Return the texts that an expression may be: of a constant, an f-string, a choice, or a variable of these."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(each.value) if isinstance(each, ast.Constant) else _place(each) for each in node.values)]
    if isinstance(node, ast.BinOp):
        left, right = (_texts(each, known) or [f"{{{ast.unparse(each)}}}"] for each in (node.left, node.right))
        return [one + other for one in left for other in right]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, known), *_texts(node.orelse, known)]
    if isinstance(node, ast.List | ast.Tuple | ast.BoolOp):
        return [*chain.from_iterable(_texts(each, known) for each in getattr(node, "elts", getattr(node, "values", [])))]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _texts(node.func.value, known)
    if isinstance(node, ast.Name):
        return [*chain.from_iterable(_texts(each, {}) for each in known.get(node.id, []))]
    return []


def _place(node: ast.expr) -> str:
    return f"{{{ast.unparse(node.value)}}}" if isinstance(node, ast.FormattedValue) else ""


def page() -> str:
    """Return the page: the checks by id, then the other messages by file."""
    found = messages()
    checks = sorted({each for each in found if CHECK_ID.match(each.kind)}, key=lambda each: (each.kind, each.text))
    lines = [HEAD, "## System checks\n"]
    lines += [f"- `{each.kind}` {_literal(each.text)}  \n  Hint: {_literal(each.hint)}" for each in checks]
    for file in dict.fromkeys(each.file for each in found):
        others = [each for each in found if each.file == file and each not in checks]
        if others:
            lines += [f"\n## `{file}`\n", *(f"- {each.kind}: {_literal(each.text)}" for each in others)]
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    return f"`` {' '.join(text.split())} ``"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
