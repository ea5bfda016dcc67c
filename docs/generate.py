"""Writes the pages of the reference that follow from the sources: `make docs`. A test compares them.

The sources are read, not imported: the template's Python is plain, so it needs no project and no Django. A line
`# % if cookiecutter.__mirror` says which answers have the lines below it.
"""

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
EMITTED = ROOT / "{{cookiecutter.project_slug}}"
LAYER = EMITTED / "databases"
MADE = "<!-- Made by docs/generate.py from {}. `make docs` writes it again. -->"
#: By folder of the layer, the title of its commands.
ROLES = {"": "Every project", "mirror": "A mirror", "tenants": "Tenants", "fleet": "A fleet"}
#: By path, the variable whose answer it belongs to.
OWNED = {
    path: variable
    for variable, paths in json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_owned_paths"].items()
    for path in paths
}
#: The base classes of commands that add arguments.
BASES = {
    "TenantCommand": "tenants/commands.py",
    "CheckCommand": "foreign/check_command.py",
    "ImportCommand": "foreign/import_command.py",
}
ADDRESSES = """\
Addresses and secrets come from the environment: `.env.example` of a project lists their variables. Everything else
about databases stands in one file, with these settings.
"""
EACH_COMMAND = """\
`--help` says the same, with Django's own options. Every command may be run twice, and exits 1
if one of its databases failed.
"""
#: By variable of the template, what its lines belong to.
CONDITIONS = {
    "__mirror": "mirror",
    "__secondary": "secondary",
    "__replicas": "replicas",
    "__tenants": "tenants",
    "__managed": "managed tenants",
    "__fleet": "a fleet",
    "__external": "external tenants",
    "__credentials": "a fleet or external tenants",
    "__postgresql": "PostgreSQL",
}
#: What users import, by the module they import it from.
API = {
    "databases": ["atomic_for", "on_commit_for", "load_related"],
    "databases.mirror": ["MirrorModel", "MirrorWriteError"],
    "databases.replicas": ["use_primary", "use_replica"],
    "databases.tenants": [
        *("TenantModel", "use_tenant", "current_tenant", "carry_tenant"),
        *("NoTenantError", "UnknownTenantError", "CrossTenantError"),
    ],
}


def pages() -> dict[str, str]:
    """Return the text of each page by its path in `docs/`."""
    return {
        "reference/questions.md": questions(),
        "reference/settings.md": settings(),
        "reference/commands.md": commands(),
        "reference/api.md": api(),
    }


def table(*rows: tuple[str, ...]) -> str:
    """Return rows, the head first, as a table in Markdown."""
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def questions() -> str:
    """Return the questions of `cookiecutter.json`, with what each answer means."""
    template = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    text = f"{MADE.format('cookiecutter.json')}\n\n# The questions\n\nThe first answer to a question is the default.\n"
    for key, shown in template["__prompts__"].items():
        label = shown if isinstance(shown, str) else shown["__prompt__"]
        text += f"\n## `{key}`\n\n{label}.\n"
        if not isinstance(shown, str):
            rows = [(f"`{answer}`", shown[answer]) for answer in template[key]]
            text += "\n" + table(("answer", "meaning"), *rows)
    return text


def settings() -> str:
    """Return the settings in `config/databases.py`, with their comments and the roles that have them."""
    rows: dict[str, list[str]] = {}
    conditions: list[str] = []
    comment: list[str] = []
    is_new = True  # whether the next comment begins a new one; settings that follow one another share theirs
    for line in (EMITTED / "config/databases.py").read_text(encoding="utf-8").splitlines():
        if condition := re.match(r"\s*# % (if|elif|else|endif)(.*)", line):
            kept = conditions if condition[1] == "if" else conditions[:-1]
            conditions = kept if condition[1] == "endif" else [*kept, condition[2]]
            comment = [] if is_new else comment
        elif line.startswith("# "):
            comment = [*([] if is_new else comment), line.removeprefix("# ").replace("<", r"\<")]
            is_new = False
        elif found := re.match(r"([A-Z][A-Z_]+)(?:: [^=]+)? = (.*)", line):
            name, value = found.groups()
            is_new = True
            if name in rows:  # the other branch of a condition
                rows[name][1:3] = ["see the file", who(conditions[:-1])]
                continue
            shown = f"`{value}`" if re.fullmatch(r"[\w.\"]+|\[.*\]|\{\}|\(.+\)", value) else "see the file"
            rows[name] = [f"`{name}`", shown, who(conditions), " ".join(comment) or "—"]
        elif not line.startswith(" "):
            comment = []
    head = f"{MADE.format('config/databases.py')}\n\n# The settings in `config/databases.py`\n\n{ADDRESSES}\n"
    return head + table(("setting", "in a new project", "projects with", "meaning"), *map(tuple, rows.values()))


def who(conditions: list[str]) -> str:
    """Return which projects have lines under these conditions, the outermost first."""
    for condition in reversed(conditions):
        if known := [CONDITIONS[name] for name in re.findall(r"__\w+", condition) if name in CONDITIONS]:
            return ("no " if condition.strip().startswith("not ") else "") + ", ".join(known)
    return "any answers"


def commands() -> str:
    """Return the commands of the layer, by role, with their arguments."""
    text = f"{MADE.format('the commands')}\n\n# The management commands\n\n{EACH_COMMAND}"
    for role, title in ROLES.items():
        text += f"\n## {title}\n"
        for path in sorted((LAYER / role / "management/commands").glob("[!_]*.py")):
            text += command(path, " in a fleet" * (role == "fleet" and is_extended(path)))
    return text


def is_extended(path: Path) -> bool:
    """Return whether a fleet's command replaces one that other tenants have too."""
    return (LAYER / "tenants/management/commands" / path.name).exists()


def command(path: Path, where: str) -> str:
    """Return what a command does, and its arguments; nothing if it only changes what a command does elsewhere."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    (made,) = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Command")
    assigned = [each for each in made.body if isinstance(each, ast.Assign)]
    said = [words(each.value) for each in assigned if ast.unparse(each.targets[0]) == "help"]
    base = ast.unparse(made.bases[0])
    found = arguments(made)
    if not said and not found:
        return ""
    if base in BASES:
        found = [*arguments(ast.parse((LAYER / BASES[base]).read_text(encoding="utf-8"))), *found]
    if path.match("tenants/management/commands/create_tenant.py"):
        found += arguments(ast.parse((LAYER / "tenants/external/provision.py").read_text(encoding="utf-8")))
    text = f"\n### `{path.stem}`{where}\n\n" + "".join(each.removeprefix("… ") + "\n\n" for each in said[:1])
    if variable := OWNED.get(path.relative_to(EMITTED).as_posix()):
        text += f"Only in projects with {CONDITIONS[variable]}.\n\n"
    if base.endswith(".Command"):
        text += "It also has the arguments that the command has without a fleet.\n\n"
    return (text + (table(("argument", "meaning"), *dict.fromkeys(found)) if found else "")).rstrip("\n") + "\n"


def arguments(node: ast.AST) -> list[tuple[str, str]]:
    """Return the arguments that a class or module adds to a command, in their order: names, and what they mean."""
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    calls = [each for each in calls if isinstance(each.func, ast.Attribute) and each.func.attr == "add_argument"]
    rows = []
    for call in sorted(calls, key=lambda each: each.lineno):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        name = ", ".join(words(each) for each in call.args)
        required = " Required." if "required" in given else ""
        rows.append((f"`{name}`", meaning(words(given["help"])) + required))
    return rows


def meaning(text: str) -> str:
    """Return a help text as a sentence."""
    return "See `--help`." if text == "…" else f"{text[0].upper()}{text[1:].rstrip('.')}.".replace("<", r"\<")


def words(node: ast.expr) -> str:
    """Return the text of a string, with `…` in place of what only a running program knows."""
    if isinstance(node, ast.JoinedStr):
        return "".join(words(each) for each in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "…"


def api() -> str:
    """Return what projects import from the layer: signatures and docstrings."""
    text = f"{MADE.format('the docstrings')}\n\n# What projects import\n"
    for package, names in API.items():
        text += f"\n## `{package}`\n"
        text += "".join(f"\n{described(package, name)}" for name in names)
    return text


def described(package: str, name: str) -> str:
    """Return the signature and the docstring of a function or class that a package offers."""
    folder = EMITTED / package.replace(".", "/")
    imports = ast.walk(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    (home,) = {
        node.module or ""
        for node in imports
        if isinstance(node, ast.ImportFrom) and name in (alias.name for alias in node.names)
    }
    kinds = ast.FunctionDef | ast.ClassDef
    body = ast.parse((folder / f"{home}.py").read_text(encoding="utf-8")).body
    *_, node = (each for each in body if isinstance(each, kinds) and each.name == name)
    if isinstance(node, ast.ClassDef):
        shown = f"class {name}({', '.join(map(ast.unparse, node.bases))})".removesuffix("()")
    else:
        shown = f"{name}({ast.unparse(node.args)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")
    return f"### `{name}`\n\n```py\n{shown}\n```\n\n{ast.get_docstring(node)}\n"


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        (ROOT / "docs" / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
