"""Threads and tasks take steps in any order, and each reads the rows of its own tenant only.

`test_tenant_stress.py` does much at the same time. Here Hypothesis searches for an order of few steps that fails.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.conftest import Baker
from tests.support import interleavings, settings, variants
from tests.support.environments import Environment
from tests.support.postgres import Postgres

SLUGS = ["acme", "chell", "horza"]
ACTORS = 4
EXAMPLES = 200
#: The actors have three threads: tasks share one.
BOUND = ("config/databases.py", "TENANT_CONNECTIONS = 64", "TENANT_CONNECTIONS = 3")

slugs = st.sampled_from(SLUGS)
alone = ("read", "write", "write_in_vain", "build", "evaluate", "load", "save", "rest", "leave")
steps = st.one_of(
    st.tuples(st.just("enter"), slugs, st.booleans()),
    st.sampled_from(alone).map(lambda step: (step,)),
    st.tuples(st.just("look"), slugs),
    st.tuples(st.just("fail"), st.integers(1, 3)),
)
orders = st.lists(st.tuples(st.integers(0, ACTORS - 1), steps), min_size=12, max_size=40)
CROSS, NONE = "CrossTenantError", "NoTenantError"

#: Mistakes that would show a tenant another tenant's rows: the engine, the file, the code, and what replaces it.
CURRENT = 'ContextVar("open_tenant_blocks", default=())'
MISTAKES = {
    "the current tenant is a plain global": (
        "sqlite",
        "databases/tenants/context.py",
        CURRENT,
        """type("Shared", (), {
    "blocks": (), "get": lambda self: self.blocks, "set": lambda self, blocks: setattr(self, "blocks", blocks)
})()""",
    ),
    "a block that an exception ends leaves its tenant current": (
        "sqlite",
        "databases/tenants/context.py",
        "_open.set(blocks[: blocks.index(self)])",
        "_open.set(blocks[: blocks.index(self)] if exception[0] is None else blocks)",
    ),
    "a queryset answers the tenant that evaluates it": (
        "sqlite",
        "databases/tenants/queries.py",
        "        if self.tenant_alias is not None and self.tenant_alias != alias:",
        "        if False:",
    ),
    "an object is saved under any tenant": (
        "sqlite",
        "databases/tenants/queries.py",
        "        if own is not None and own != alias and own.startswith(ALIAS_PREFIX):",
        "        if False:",
    ),
    # Only PostgreSQL's connections stay open.
    "an idle connection is given to any tenant": (
        "postgresql",
        "databases/tenants/pool.py",
        "found.key == key and found.is_alive()",
        "found.is_alive()",
    ),
}


class Expected:
    """The model: the result of each step, from a stack of tenants per actor and a list of rows per tenant."""

    def __init__(self) -> None:
        self.stacks: list[list[str]] = [[] for _ in range(ACTORS)]
        self.rows = {slug: [slug] for slug in SLUGS}
        #: The tenant that the kept queryset was built under, and that of the kept object; empty where none is kept.
        self.queryset: list[str | None] = []
        self.object: list[str] = []

    def after(self, who: int, step: str, *words: Any) -> Any:
        """Return the result that a step of an actor must have, and apply the step to the model."""
        self.stack = self.stacks[who]
        self.current = self.stack[-1] if self.stack else None
        return getattr(self, f"_{step}")(*words)

    def _enter(self, slug: str, switch: bool) -> str | None:
        if not switch and self.current not in (None, slug):
            return CROSS
        self.stack.append(slug)
        return None

    def _leave(self) -> str:
        return "left" if self.stack and self.stack.pop() else "nothing"

    def _fail(self, levels: int) -> str:
        del self.stack[-levels:]
        return "raised" if self.current else "nothing"

    def _look(self, slug: str) -> list[str]:
        return sorted(self.rows[slug])

    def _read(self) -> list[str] | str:
        return self._look(self.current) if self.current else NONE

    def _write(self, name: str) -> str | None:
        if self.current:
            self.rows[self.current].append(name)
        return self._write_in_vain(name)

    def _write_in_vain(self, name: str) -> str | None:
        return None if self.current else NONE

    def _build(self) -> None:
        self.queryset = [self.current]

    def _evaluate(self) -> list[str] | str:
        if not self.queryset:
            return "nothing"
        return self._read() if self.queryset == [self.current] or not self.current else CROSS

    def _load(self) -> str | None:
        if not self.current:
            return NONE
        self.object = [self.current]
        return None

    def _save(self) -> str | None:
        if not self.object:
            return "nothing"
        return CROSS if self.current and self.object != [self.current] else self._write_in_vain("")

    def _rest(self) -> None:
        """Connections go from hand to hand; nothing else changes."""


def named(order: list[tuple[int, tuple[Any, ...]]]) -> list[list[Any]]:
    """Return the steps, with a unique name for each row that is written."""
    return [
        [who, *step, *([f"row {number}"] if "write" in step[0] else [])] for number, (who, step) in enumerate(order)
    ]


Search = Callable[..., None]


@pytest.fixture
def search(
    bake: Baker,
    environment: Callable[[str], Environment],
    tmp_path: Path,
    database_names: Iterator[str],
    request: pytest.FixtureRequest,
) -> Search:
    """Return a search for an order that fails, in a project with few connections and, if given, a mistake."""

    def look_for_one(engine: str, file: str = "", old: str = "", new: str = "") -> None:
        django = variants.DJANGO or "6.1"
        project = bake(
            primary_database=engine, secondary_database="none", tenant_databases="managed", django_version=django
        )
        for where, before, after in (BOUND, (file, old, new)):
            if where:
                if project.read(where).count(before) != 1:
                    # Not an AssertionError: that means that the search found the mistake.
                    raise LookupError(f"{where} does not hold {before!r} once: update the mistake.")
                project.write(where, project.read(where).replace(before, after))
        env = {**settings.production(project, settings.sqlite(tmp_path)), "DJANGO_SETTINGS_MODULE": "config.settings"}
        prefix = f"steps_{next(database_names)}"
        if engine == "postgresql":
            postgres: Postgres = request.getfixturevalue("postgres")
            url = postgres.url("{name}").replace("%7Bname%7D", "{name}")
            env |= {"DATABASE_URL": postgres.create(f"{prefix}_site"), "TENANT_DATABASE_URL": url}
        tools = environment(django)
        project.run(tools, "python", "manage.py", "migrate", "-v0", env=env)

        with interleavings.acting(project, tools, env, prefix, ACTORS, SLUGS) as actors:

            @hypothesis(
                deadline=None,
                database=None,
                print_blob=True,
                max_examples=EXAMPLES,
                # The search for a planted mistake must be reproducible, and needs no small example.
                derandomize=bool(file),
                phases=[Phase.generate] if file else list(Phase),
                suppress_health_check=[HealthCheck.too_slow],
            )
            @given(orders)
            def nothing_goes_wrong(order: list[tuple[int, tuple[Any, ...]]]) -> None:
                expected = Expected()
                taken = named(order)
                assert actors.take(taken) == [expected.after(*step) for step in taken]

            nothing_goes_wrong()

    return look_for_one


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_order_of_steps_shows_another_tenants_rows(search: Search, engine: str) -> None:
    search(engine)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_search_finds_a_mistake(search: Search, mistake: str) -> None:
    with pytest.raises(AssertionError, match="assert"):
        search(*MISTAKES[mistake])
