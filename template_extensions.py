"""What answers may be, and how they stand in files: the filters that `cookiecutter.json` and emitted files use."""

import contextlib
import json
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

ROOT = Path(__file__).parent
EMITTED = ROOT / "{{cookiecutter.project_slug}}"

LONGEST_NAME = 100
LONGEST_SLUG = 40
FALLBACK_SLUG = "my_project"
# Not in `sys.stdlib_module_names`, or not a package of ours, and yet taken.
TAKEN_BY_PYTHON = {"test", "django"}
# No folder on Windows can have one of these names.
TAKEN_BY_WINDOWS = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}


class ProjectExtension(Extension):
    """Checks the answers, quotes them for files, and keeps answers from being run as templates."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._own_sources = set(own_sources())
        environment.filters.update(
            checked_project_name=checked_project_name,
            default_project_slug=default_project_slug,
            checked_project_slug=checked_project_slug,
            toml_string=toml_string,
            python_string=python_string,
            owned_paths=owned_paths,
        )
        forget_module()

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Make a literal of a source that this template did not write.

        cookiecutter renders the values of its command line (and the paths it writes to) as templates: without this
        an answer like `100 {% off` ends in a traceback and `{{ 7*7 }}` is changed to `49`.
        """
        if name is not None or source in self._own_sources:
            # Jinja's own line statements swallow the blank lines that follow them.
            return re.sub(r"^[ \t]*# % (.+)$", r"{% \1 %}", source, flags=re.MULTILINE)
        return '{{ "' + "".join(f"\\U{ord(character):08x}" for character in source) + '" }}'


def forget_module() -> None:
    """Make the next environment import this file as it is then.

    `cruft update` renders an old and a new version of this template from one folder in one process. Bytecode goes as
    well: Python takes it for that of another version when both were written in one second and are of one length.
    """
    sys.modules.pop(__name__, None)
    bytecode = Path(cache_from_source(__file__))
    with contextlib.suppress(OSError):
        bytecode.unlink()
        bytecode.parent.rmdir()


def own_sources() -> Iterator[str]:
    """Yield every text without a file name that cookiecutter renders and this template's authors wrote."""
    yield EMITTED.name
    for value in json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8")).values():
        yield from value if isinstance(value, list) else [value] if isinstance(value, str) else []
    for hook in (ROOT / "hooks").glob("*.py"):
        yield hook.read_text(encoding="utf-8")


def checked_project_name(name: str) -> str:
    """Return the name unchanged.

    Raises FailedHookException, which cookiecutter prints as one line, for a name that cannot stand in one line of text.
    """
    if not name.strip():
        raise refusal("project_name", name, "it is empty", "type the name as people read it, such as 'My Project'")
    if len(name) > LONGEST_NAME:
        raise refusal("project_name", name, f"it has {len(name)} characters", f"type at most {LONGEST_NAME}")
    for character in name:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            why = f"it holds the unprintable character U+{ord(character):04X}"
            raise refusal("project_name", name, why, "type the name in one line, without it")
    return name


def default_project_slug(name: str) -> str:
    """Return a slug that `checked_project_slug` accepts and that recalls the name as far as ASCII allows."""
    without_quotes = re.sub("['\u2019`]", "", name)
    in_ascii = unicodedata.normalize("NFKD", without_quotes).encode("ascii", "ignore").decode()
    slug = re.sub("[^a-z0-9]+", "_", in_ascii.lower()).lstrip("0123456789_")[:LONGEST_SLUG].rstrip("_")
    if not slug:
        return FALLBACK_SLUG
    return slug if whose_name(slug) is None else f"{slug}_project"


def checked_project_slug(slug: str) -> str:
    """Return the slug unchanged.

    Raises FailedHookException, which cookiecutter prints as one line, for a slug that cannot name the folder.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", slug):
        why = "it is not a lower case letter followed by lower case letters, digits and underscores"
    elif len(slug) > LONGEST_SLUG:
        why = f"it has {len(slug)} characters, and {LONGEST_SLUG} are the most"
    elif owner := whose_name(slug):
        why = f"it is the name of {owner}"
    else:
        return slug
    raise refusal("project_slug", slug, why, f"type for example {default_project_slug(slug)!r}")


def whose_name(slug: str) -> str | None:
    """Return who has this name already, or None when it is free."""
    if keyword.iskeyword(slug):
        return "a keyword of Python"
    if slug in sys.stdlib_module_names | TAKEN_BY_PYTHON:
        return "a package that Python or Django brings"
    if slug in emitted_modules():
        return "a package inside the project"
    if slug in required_distributions():
        return "a package that the project depends on"
    if slug in TAKEN_BY_WINDOWS:
        return "a device on Windows"
    return None


def emitted_modules() -> set[str]:
    """Return the names that `import` finds at the top of an emitted project."""
    folders = {path.name for path in EMITTED.iterdir() if path.is_dir()}
    return folders | {path.stem for path in EMITTED.glob("*.py")}


def required_distributions() -> set[str]:
    """Return what an emitted `pyproject.toml` may require: installers refuse a project that requires its own name."""
    requirement = re.compile(r'^ *"([A-Za-z0-9][A-Za-z0-9._-]*)[^"]*",?$', re.MULTILINE)
    return {
        re.sub("[-.]", "_", name.lower())
        for name in requirement.findall((EMITTED / "pyproject.toml").read_text(encoding="utf-8"))
    }


def refusal(key: str, answer: str, why: str, instead: str) -> FailedHookException:
    """Return what makes cookiecutter stop with one line: which answer, why it cannot be, and what to type instead."""
    shown = answer if len(answer) <= 60 else f"{answer[:57]}..."
    return FailedHookException(f"{key} {shown!r} is refused: {why}; {instead}.")


def toml_string(text: str) -> str:
    """Return a TOML basic string, quotes included; `tojson` would write emoji as surrogates, which TOML refuses."""
    return '"' + "".join(_toml_character(character) for character in text) + '"'


def _toml_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return f"\\u{ord(character):04x}" if ord(character) < 0x20 or ord(character) == 0x7F else character


def python_string(text: str) -> str:
    """Return a Python literal as `ruff format` would leave it: double quotes, unless single ones need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_python_character(character, quote) for character in text) + quote


def _python_character(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode-escape").decode()


def owned_paths(answers: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each path in the table `_owned_paths` whether the answers keep it.

    Raises KeyError when the table names a variable that `cookiecutter.json` does not have.
    """
    return {path: bool(answers[variable]) for path, variable in answers["_owned_paths"].items()}
