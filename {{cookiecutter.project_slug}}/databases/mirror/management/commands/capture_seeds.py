"""`manage.py capture_seeds materials.Material --limit 20`: writes a redacted subset of the mirror as its seed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.db.models import CompositePrimaryKey, Model

from databases.mirror.capture import as_fixture
from databases.mirror.redaction import read_setting
from databases.mirror.relations import targets_of
from databases.mirror.router import MIRROR
from databases.mirror.subset import Subset, snapshot
from databases.registry import models_of


class Command(BaseCommand):
    help = "Write a small subset of the mirror as the seed of its test database. Values that look secret are blanked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="+", metavar="app.Model", help="models, or the labels of apps")
        parser.add_argument("--limit", type=int, default=50, help="maximum number of rows of each model (50)")
        matching = "take only matching rows of these models, such as name__startswith=A; may be repeated"
        parser.add_argument(
            "--filter", action="append", default=[], dest="filters", metavar="FIELD=VALUE", help=matching
        )
        seed = settings.BASE_DIR / "seeds" / "fixtures" / f"{MIRROR}.json"
        parser.add_argument("--output", type=Path, default=seed, help="file to write (the seed)")
        parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")

    def handle(self, *, labels: list[str], limit: int, filters: list[str], **options: Any) -> None:
        output = Path(options["output"])
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if output.exists() and not options["overwrite"]:
            raise CommandError(f"{output} exists: use --overwrite to replace it, or --output to write another file.")
        try:
            rules = read_setting(settings.MIRROR_SEED_COLUMNS)
            subset = read_subset(find_roots(labels), limit, parse_filters(filters))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            # The class only: a driver's message may contain addresses, users and values.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}); nothing was written.") from error
        if not any(subset.rows.values()):
            raise CommandError("No row matches, or none fits the limit; nothing was written.")
        text, report = as_fixture(subset, rules)
        write(output, text)
        for line in [*report, f"Written to {output}. Read it before you commit it."]:
            self.stdout.write(line)


def find_roots(labels: Iterable[str]) -> list[type[Model]]:
    """Return the mirrored models for labels: `app.Model`, or an app's label for all of its models.

    Models with more targets come first, so that their targets still fit the limit. Raises `CommandError` for an unknown
    label, and for a model that cannot be captured.
    """
    mirrored = [each for each in models_of(MIRROR) if not each._meta.auto_created and not each._meta.proxy]
    mirrored.sort(key=lambda each: (-len(targets_of(each)), each._meta.label))
    roots: dict[type[Model], None] = {}
    for label in labels:
        found = [each for each in mirrored if label.lower() in (each._meta.label_lower, each._meta.app_label.lower())]
        if not found:
            names = sorted({name for each in mirrored for name in (each._meta.label, each._meta.app_label)})
            raise CommandError(
                f"{label!r} is neither a mirrored model nor an app with mirrored models. There are: {', '.join(names)}."
            )
        roots |= dict.fromkeys(found)
    for model in {each for root in roots for each in (root, *targets_of(root))}:
        if isinstance(model._meta.pk, CompositePrimaryKey):
            raise CommandError(
                f"{model._meta.label} has a composite primary key, which a fixture cannot hold: leave it out."
            )
    return list(roots)


def parse_filters(words: Iterable[str]) -> dict[str, Any]:
    """Return the lookups of `field__lookup=value` words. Raises `CommandError`, without the value, for other words."""
    filters: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise CommandError("--filter takes field=value or field__lookup=value, such as name__startswith=A.")
        if name.endswith("__in"):
            filters[name] = value.split(",")
        elif name.endswith("__isnull"):
            filters[name] = value.lower() in ("1", "true", "yes", "on")
        else:
            filters[name] = value
    return filters


def read_subset(roots: list[type[Model]], limit: int, filters: dict[str, Any]) -> Subset:
    """Return a subset of the mirror, read from one snapshot."""
    subset = Subset(limit)
    with snapshot():
        for root in roots:
            subset.take(root, filters)
        subset.link()
    return subset


def write(output: Path, text: str) -> None:
    """Write a complete file or none. Raises `CommandError` if the file cannot be written."""
    # Not named *.json: each such file in the folder counts as a seed.
    temporary = output.with_name(f".{output.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(output)
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it contains an unpaired surrogate"
        raise CommandError(f"{output} cannot be written: {reason}.") from None
    finally:
        temporary.unlink(missing_ok=True)
