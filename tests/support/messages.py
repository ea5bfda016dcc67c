"""Every message of the emitted layer, read from its code. `make messages` writes the page that lists them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from tests.support.template import EMITTED, ROOT, emitted_files

PAGE = ROOT / "docs" / "reference" / "messages.md"
CHECK_ID = re.compile(r"databases\.[EWI]\d{3}")
MAKERS = re.compile(r"\w*Error|Info|Warning|ImproperlyConfigured|SuspiciousFileOperation|Http404|unavailable")
#: Names and arguments whose texts are part of other messages, and the functions that return or yield such texts.
PARTS = {"cause", "cure", "error", "late", "problem", "problems", "reason", "skipped", "undone", "State"}
PART_MAKERS = re.compile(r"problem|advice|unimported_models|why_\w+|_lags|_compare\w*|_differences|_limits|read_rights")
HEAD = """# Messages

Every error, warning and refusal of `databases/` and `config/`, as the code writes it, with `{…}` for values. A *part*
belongs to a longer message, or follows the name of a database or a tenant. `make messages` writes this page.
"""
Known = Mapping[str, list[ast.expr]]  # By the name of a variable, what a module assigns to it.


class Message(NamedTuple):
    """One text: its file; a class, the id of a check, `log`, `printed` or `part`; the text; and a check's hint."""

    file: str
    kind: str
    text: str
    hint: str = ""


def messages() -> list[Message]:
    """Return what all emitted modules but tests say, whatever the answers; not what only passes on another error."""
    files = [file for file in emitted_files() if re.match(r"(databases|config)/(?!.*\btests/).*\.py$", file)]
    trees = {file: ast.parse((EMITTED / file).read_text(encoding="utf-8")) for file in files}
    own = {file: _assigned(tree) for file, tree in trees.items()}
    shared = {name: values for each in own.values() for name, values in each.items() if name.isupper()}
    found: list[Message] = []
    for file, tree in trees.items():
        for node in ast.walk(tree):
            found += [Message(file, *map(str.strip, rest)) for rest in _messages_of(node, {**shared, **own[file]})]
    return [each for each in dict.fromkeys(found) if each.hint or re.search("[a-z]", re.sub(r"\{.*?\}", "", each.text))]


def page() -> str:
    """Return the page: the checks by id, then the other messages by file."""
    found = messages()
    checks = sorted((each for each in found if CHECK_ID.match(each.kind)), key=lambda each: each.kind)
    lines = [HEAD, "## System checks\n"]
    lines += [f"- `{each.kind}`: `` {each.text} ``\n  Hint: `` {each.hint} ``" for each in checks]
    for file in dict.fromkeys(each.file for each in found if each not in checks):
        others = [each for each in found if each.file == file and each not in checks]
        lines += [f"\n## {file}\n", *(f"- {each.kind}: `` {each.text} ``" for each in others)]
    return "\n".join(lines) + "\n"


def _assigned(tree: ast.AST) -> Known:
    found = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id].append(node.value)
    return found


def _messages_of(node: ast.AST, known: Known) -> Iterator[tuple[str, ...]]:
    """Yield the kind, text and perhaps hint of what one node of a module says. Argument: its variables' values."""
    words = {each.arg or "": each.value for each in node.keywords} if isinstance(node, ast.Call) else {}
    values = getattr(node, "args", getattr(node, "elts", [])) if isinstance(node, ast.Call | ast.Tuple) else []
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    last, first = name.rpartition(".")[2], values[0] if values else ast.Constant("")
    kind = "printed" if name.endswith(("stderr.write", "style.ERROR")) else last if MAKERS.fullmatch(last) else ""
    kind = "log" if name.startswith("logger.") and last not in ("debug", "info") else kind
    said = [_texts(each, known) for each in (*values, *words.values()) if not isinstance(each, ast.List)]
    ids = [text for texts in said for text in texts if CHECK_ID.fullmatch(text)]
    if ids:
        message, *hints = [texts for texts in said if texts and " " in texts[0]]
        yield from ((ids[0], text, " / ".join(chain(*hints))) for text in message)
    elif kind:
        yield from ((kind, text) for text in _texts(first, known))
    elif last in PARTS or name.endswith("problems.append"):
        yield from (("part", text) for each in values for text in _texts(each, known))
    yield from (("part", text) for word in words.keys() & PARTS for text in _texts(words[word], {}))
    ends: list[ast.expr | None] = []
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).partition("[")[0] in PARTS:
        ends = [node.value]
    elif isinstance(node, ast.FunctionDef) and PART_MAKERS.fullmatch(node.name):
        ends = [each.value for each in ast.walk(node) if isinstance(each, ast.Return | ast.Yield)]
    yield from (("part", text) for each in ends if each for text in _texts(each, {}) if " " in text)


def _texts(node: ast.AST, known: Known) -> list[str]:
    """Return the texts that an expression may be: of a constant, an f-string, a choice, or a variable of these."""
    choices: list[ast.expr] = []
    match node:
        case ast.Constant(value=str() as text):
            return [text] if text else []
        case ast.JoinedStr(values=parts):
            return ["".join(_texts(each, {})[0] for each in parts if _texts(each, {}))]
        case ast.FormattedValue(value=place):
            return [f"{{{ast.unparse(place)}}}"]
        case ast.BinOp(left=left, right=right):
            both = [_texts(each, known) or [f"{{{ast.unparse(each)}}}"] for each in (left, right)]
            return [one + other for one in both[0] for other in both[1]]
        case ast.IfExp(body=one, orelse=other):
            choices = [one, other]
        case ast.List(elts=several) | ast.Tuple(elts=several) | ast.BoolOp(values=several):
            choices = several
        case ast.Call(func=ast.Attribute(value=text, attr="format")):
            return _texts(text, known)
        case ast.Name(id=name):
            choices, known = known.get(name, []), {}
    return [*chain.from_iterable(_texts(each, known) for each in choices)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
