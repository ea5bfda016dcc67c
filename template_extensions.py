"""The filters of `cookiecutter.json`, the hook and emitted files: they validate answers and quote them for files."""

import contextlib
import inspect
import json
import keyword
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from cookiecutter.exceptions import FailedHookException
from cookiecutter.prompt import prompt_for_config, read_user_choice, read_user_variable
from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

ROOT = Path(__file__).parent
EMITTED = ROOT / "{{cookiecutter.project_slug}}"

LONGEST_NAME = 100
LONGEST_SLUG = 40
FALLBACK_SLUG = "my_project"
# `sys.stdlib_module_names` holds neither of them.
TAKEN_BY_PYTHON = {"test", "django"}
# Windows refuses folders with these names.
TAKEN_BY_WINDOWS = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}


#: Why an answer is refused, and what to type instead; None for a good answer.
Problem = tuple[str, str] | None


class ProjectExtension(Extension):
    """Adds the filters, and keeps cookiecutter from running answers as templates."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._own_sources = set(own_sources())
        environment.filters.update(
            checked=checked,
            default_project_slug=default_project_slug,
            toml_string=toml_string,
            python_string=python_string,
            record=record,
            unchosen_paths=unchosen_paths,
        )

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Turn `# % if` lines into statements, and a source that is not the template's own into a literal.

        cookiecutter renders the values of its command line, and the paths it writes to, as templates. Without this
        method the answer `100 {% off` ends in a traceback, and `{{ 7*7 }}` becomes `49`.
        """
        if name is not None or source in self._own_sources:
            # Jinja's own line statements swallow the blank lines that follow them.
            return re.sub(r"^[ \t]*# % (.+)$", r"{% \1 %}", source, flags=re.MULTILINE)
        if not re.search(r"[{\r]", source):
            # Most paths: Jinja changes nothing else, and reads a plain text faster than a literal.
            return source
        return '{{ "' + "".join(f"\\U{ord(character):08x}" for character in source) + '" }}'


def own_sources() -> Iterator[str]:
    """Yield every text of this template that cookiecutter renders without a file name."""
    yield EMITTED.name
    for value in read_questions().values():
        yield from value if isinstance(value, list) else [value] if isinstance(value, str) else []
    for hook in (ROOT / "hooks").glob("*.py"):
        yield hook.read_text(encoding="utf-8")


@pass_context
def checked(context: Context, key: str) -> str:
    """Return the answer to a question, which was good or is now: at a terminal a bad answer is asked again.

    Raises FailedHookException, which cookiecutter prints as one line, for a bad answer without a terminal.
    """
    answers = context["cookiecutter"]
    while problem := CHECKS[key](answers):
        error = refusal(key, answers[key], *problem)
        if not is_asking():
            raise error
        print(error)
        answers[key] = ask_again(key, context)
    return str(answers[key])


def is_asking() -> bool:
    """Return whether cookiecutter asks its questions at a terminal.

    It does not tell filters of `--no-input`, which may have come from its command line, from cruft or from Python, so
    this looks at the argument of its function.
    """
    frame = inspect.currentframe()
    while frame and frame.f_code is not prompt_for_config.__code__:
        frame = frame.f_back
    return frame is not None and not frame.f_locals["no_input"] and sys.stdin.isatty()


def ask_again(key: str, context: Context) -> str:
    """Ask a question as cookiecutter asked it, without the choice that was refused, and return the answer."""
    questions = read_questions()
    shown = [name for name in questions if not name.startswith("_")]
    prefix = f"  [dim][{shown.index(key) + 1}/{len(shown)}][/] "
    question = questions[key]
    if isinstance(question, list):
        choices = [choice for choice in question if choice != context["cookiecutter"][key]]
        return str(read_user_choice(key, choices, questions["__prompts__"], prefix))
    default = context.environment.from_string(question).render(cookiecutter=context["cookiecutter"])
    return str(read_user_variable(key, default, questions["__prompts__"], prefix))


def read_questions() -> dict[str, Any]:
    """Return what `cookiecutter.json` holds."""
    questions: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return questions


def project_name_problem(name: str) -> Problem:
    """Return what is wrong with a name: it must be one line of text."""
    if not name.strip():
        return "it is empty", "type the name as people read it, such as 'My Project'"
    if len(name) > LONGEST_NAME:
        return f"it has {len(name)} characters", f"type at most {LONGEST_NAME}"
    for character in name:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"it holds the unprintable character U+{ord(character):04X}", "type the name in one line, without it"
    return None


def default_project_slug(name: str) -> str:
    """Return a slug that is accepted, and resembles the name as far as ASCII allows."""
    without_quotes = re.sub("['\u2019`]", "", name)
    in_ascii = unicodedata.normalize("NFKD", without_quotes).encode("ascii", "ignore").decode()
    slug = re.sub("[^a-z0-9]+", "_", in_ascii.lower()).lstrip("0123456789_")[:LONGEST_SLUG].rstrip("_")
    if not slug:
        return FALLBACK_SLUG
    return slug if whose_name(slug) is None else f"{slug}_project"


def project_slug_problem(slug: str) -> Problem:
    """Return what is wrong with a slug: it must be a free name of a Python package."""
    if not re.fullmatch("[a-z][a-z0-9_]*", slug):
        why = "it is not a lower-case letter followed by lower-case letters, digits and underscores"
    elif len(slug) > LONGEST_SLUG:
        why = f"it has {len(slug)} characters, and {LONGEST_SLUG} are the most"
    elif owner := whose_name(slug):
        why = f"it is the name of {owner}"
    else:
        return None
    return why, f"type for example {default_project_slug(slug)!r}"


def tenant_databases_problem(answer: str, engine: str) -> Problem:
    """Return what is wrong with a choice of tenants: a fleet needs PostgreSQL."""
    if answer != "fleet" or engine == "postgresql":
        return None
    return f"a fleet needs PostgreSQL, and primary_database is {engine}", "type 'managed', or choose postgresql there"


#: By question: what is wrong with its answer, from all answers so far.
CHECKS: dict[str, Callable[[Mapping[str, str]], Problem]] = {
    "project_name": lambda answers: project_name_problem(answers["project_name"]),
    "project_slug": lambda answers: project_slug_problem(answers["project_slug"]),
    "tenant_databases": lambda answers: tenant_databases_problem(
        answers["tenant_databases"], answers["primary_database"]
    ),
}


def whose_name(slug: str) -> str | None:
    """Return what has this name already, or None if it is free."""
    if keyword.iskeyword(slug):
        return "a keyword of Python"
    if slug in sys.stdlib_module_names | TAKEN_BY_PYTHON:
        return "a package of Python or Django"
    if slug in emitted_modules():
        return "a package inside the project"
    if slug in required_distributions():
        return "a package that the project depends on"
    if slug in TAKEN_BY_WINDOWS:
        return "a device on Windows"
    return None


def emitted_modules() -> set[str]:
    """Return the names of an emitted project's own packages and modules."""
    folders = {path.name for path in EMITTED.iterdir() if path.is_dir()}
    return folders | {path.stem for path in EMITTED.glob("*.py")}


def required_distributions() -> set[str]:
    """Return the names that an emitted project may require: installers refuse a project that requires itself."""
    requirement = re.compile(r'^ *"([A-Za-z0-9][A-Za-z0-9._-]*)[^"]*",?$', re.MULTILINE)
    return {
        re.sub("[-.]", "_", name.lower())
        for name in requirement.findall((EMITTED / "pyproject.toml").read_text(encoding="utf-8"))
    }


def refusal(key: str, answer: str, why: str, instead: str) -> FailedHookException:
    """Return an exception that cookiecutter prints as one line: the answer, why it is refused, and what to type."""
    shown = answer if len(answer) <= 60 else f"{answer[:57]}..."
    return FailedHookException(f"{key} {shown!r} is refused: {why}; {instead}.")


def toml_string(text: str) -> str:
    """Return a TOML basic string with its quotes. `tojson` would write emoji as surrogates, which TOML refuses."""
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


def record(answers: Mapping[str, Any]) -> str:
    """Return what `make change` must know of a project: its answers, and the template's commit, as JSON.

    The commit is empty where the template is no clone. Changes of the template that are not committed do not count.
    """
    # Not from a repository around the template, nor from the one that variables of git may name.
    words = ["git", f"--git-dir={ROOT / '.git'}", "rev-parse", "--quiet", "--verify", "HEAD"]
    try:
        commit = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    except OSError:  # There is no git.
        commit = ""
    shown = {key: answers[key] for key in read_questions() if not key.startswith("_")}
    return json.dumps({"commit": commit, "answers": shown}, indent=2, ensure_ascii=False)


def unchosen_paths(answers: Mapping[str, Any]) -> str:
    """Return the paths, one per line, that `_owned_paths` in `cookiecutter.json` gives to answers not chosen.

    The hook is the last that a bake renders, so this is also where the bake is done with this file.
    """
    forget_module()
    return "\n".join(
        path for variable, paths in answers["_owned_paths"].items() if not answers[variable] for path in paths
    )


def forget_module() -> None:
    """Make the next bake of this process import this file again.

    `cruft update` renders an old and a new version of this template from one folder in one process. The bytecode is
    deleted too: Python would use it for the other version if both have the same length and second of writing.
    """
    sys.modules.pop(__name__, None)
    bytecode = Path(cache_from_source(__file__))
    with contextlib.suppress(OSError):
        bytecode.unlink()
        bytecode.parent.rmdir()
