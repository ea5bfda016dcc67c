"""`make remove-examples`: takes the example apps out of the project, and this module with them. Needs Python only."""

import json
import re
import shutil
import sys
from pathlib import Path

MARK = "# example"
#: Where the removed files go, and a copy of each file that is edited. Nothing is deleted.
REMOVED = ".removed-examples"


def remove_examples(root: Path) -> list[str]:
    """Remove the example apps, their tests, their seeded rows, and the marked lines of config/ and the Makefile.

    The files, with whatever the user added to them, are moved to `.removed-examples/`. Returns the names of the apps.
    Raises SystemExit with a reason, before anything is changed, if the project still needs an example.
    """
    examples = example_apps(root)
    tests = [file for file in root.glob("tests/test_*.py") if is_example(file)]
    refuse_users(root, examples, tests)
    # All contents first: a file that cannot be read stops the command before it has changed anything.
    edited = {file: without_rows(file, examples) for file in root.glob("seeds/fixtures/*.json")}
    edited |= {file: without_lines(file) for file in [*root.glob("config/*.py"), root / "Makefile"]}
    moved = [*tests, *(root / app for app in examples)]
    targets = {path: root / REMOVED / path.relative_to(root) for path in [*edited, *moved]}
    for target in targets.values():
        if target.exists():
            sys.exit(f"{target} is in the way: delete {REMOVED}/, or move it, and run this again.")
    for path, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in edited:
            shutil.copy2(path, target)
    for file, text in edited.items():
        file.write_text(text, encoding="utf-8")
    for path in moved:
        shutil.move(path, targets[path])
    return examples


def example_apps(root: Path) -> list[str]:
    """Return the names of the example apps that are there."""
    found = root.glob("*/apps.py")
    return sorted(file.parent.name for file in found if "is_example = True" in file.read_text(encoding="utf-8"))


def refuse_users(root: Path, examples: list[str], tests: list[Path]) -> None:
    """Exit where a file that stays imports an example app, or a migration depends on one."""
    names = "|".join(examples)
    uses = re.compile(rf"^\s*(?:from|import) (?:{names})\b.*(?<!{MARK})$|\(\"(?:{names})\", \"", re.MULTILINE)
    for file in root.glob("*/**/*.py"):
        parts = file.relative_to(root).parts
        if parts[0] in (*examples, "databases") or parts[0].startswith(".") or file in tests:
            continue
        if found := uses.search(without_comments(file)):
            sys.exit(
                f"{file.relative_to(root)} uses an example app ({found[0].strip()}): change it first. Nothing was "
                "removed."
            )


def is_example(test: Path) -> bool:
    """Return whether a test file says in its first line that it is an example."""
    return test.read_text(encoding="utf-8").partition("\n")[0].endswith(MARK)


def without_comments(file: Path) -> str:
    """Return the lines of a file that are not comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def without_lines(file: Path) -> str:
    """Return the text of a file without the lines that end with the mark."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.rstrip().endswith(MARK))


def without_rows(fixture: Path, examples: list[str]) -> str:
    """Return the text of a fixture without the rows of the example apps. Exits for broken JSON."""
    text = fixture.read_text(encoding="utf-8")
    try:
        rows = json.loads(text)
    except ValueError as error:
        sys.exit(f"{fixture} is not JSON ({error}): correct it first. Nothing was removed.")
    kept = [row for row in rows if row["model"].partition(".")[0] not in examples]
    return text if len(kept) == len(rows) else json.dumps(kept, indent=2) + "\n"


if __name__ == "__main__":
    print(
        f"Removed {', '.join(remove_examples(Path.cwd()))}. Their files are in {REMOVED}/, for you to delete; their "
        "tables and the user demo stay in the databases."
    )
