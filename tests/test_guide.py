"""The guide in `docs/`: it builds without a warning, its pages follow the sources, and what it names exists."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.support import commands, tutorials
from tests.support.template import EMITTED, ROOT, emitted_files, run_bake_py
from tests.test_defects import names_in

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def test_the_guide_builds_without_a_dead_link(tmp_path: Path) -> None:
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    commands.run([*sphinx, "-d", tmp_path / "trees", DOCS, tmp_path / "html"], cwd=ROOT)
    assert "Deploying a release" in (tmp_path / "html/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md"])
def test_links_from_outside_lead_to_files_and_headings(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"(?:\]\(|src(?:set)?=\")(?!https?:)([^)\"#]*)#?([^)\"]*)", text)
    assert links
    for path, anchor in links:
        target = (ROOT / page).parent / path
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def anchors(page: Path) -> list[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_reference_follows_the_sources() -> None:
    for path, text in runpy.run_path(str(DOCS / "generate.py"))["pages"]().items():
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"`make docs` writes docs/{path}."


def test_each_promise_names_a_test_that_exists() -> None:
    sections = (DOCS / "explanation/promises.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(sections) == 13
    for section in sections:
        named = re.findall(r"`(databases/[\w/]+\.py::[^`]+)`", section)
        assert named, section
        assert all(test in names_in(EMITTED, test.partition("::")[0]) for test in named), named


def test_every_command_that_the_guide_names_exists() -> None:
    ours = {Path(file).stem for file in emitted_files() if "/management/commands/" in file}
    django = {"help", "check", "shell", "test", "migrate", "makemigrations", "startapp", "dbshell", "flush", "loaddata"}
    examples = {"db_worker", "import_schema"}  # of a package, and of `extras/`
    named = {name for page in PAGES for name in re.findall(r"manage\.py (\w+)", page.read_text(encoding="utf-8"))}
    named |= set(re.findall(r"\| `([a-z]+_[a-z_]+)", (DOCS / "how-to/fleet.md").read_text(encoding="utf-8")))
    assert named - ours - django - examples == set()


def test_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    measured = (DOCS / "reference/benchmarks.md").read_text(encoding="utf-8")
    figures = re.findall(r"([\d.]+) times", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert figures
    assert [figure for figure in figures if figure not in measured] == []


@pytest.mark.parametrize("name", [path.stem for path in sorted(tutorials.FOLDER.glob("*.md"))])
def test_the_project_of_each_tutorial_is_made(name: str, tmp_path: Path) -> None:
    words = [str(tmp_path) if word == ".." else word for word in tutorials.answers(name)]
    assert run_bake_py(*words)[0] == 0
    assert (tmp_path / "my_project/manage.py").exists()
