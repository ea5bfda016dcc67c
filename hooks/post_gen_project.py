"""Remove the files that belong to answers which were not given; the table is `_owned_paths` in `cookiecutter.json`."""

import json
import shutil
import sys
from pathlib import Path

# Data, never code: `tojson` leaves no quote that could end the raw string.
KEPT = json.loads(r"""{{ cookiecutter | owned_paths | tojson }}""")


def main() -> None:
    """Make the project smaller by what was not chosen, and say how to go on."""
    # What runs is a rendered copy that cookiecutter puts among the temporary files, and leaves there.
    Path(__file__).unlink(missing_ok=True)
    absent = [path for path in KEPT if not Path(path).exists()]
    if absent:
        sys.exit(f"_owned_paths in cookiecutter.json names what the template does not hold: {', '.join(absent)}")
    for path, kept in KEPT.items():
        if not kept:
            remove(Path(path))
    name = Path.cwd().name
    print(f"{name} is ready. Next: `cd {name}`, then `make run` or `make test`; its README.md explains the rest.")


def remove(path: Path) -> None:
    """Delete a file or a folder, and the folders above it that this empties."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder != Path() and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


main()
