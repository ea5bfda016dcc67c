"""`manage.py capture_seeds materials.Material --limit 20`: see `databases.mirror.sample` and `.redaction`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.db.models import CompositePrimaryKey, Model

from databases.external import models_of
from databases.mirror.capture import as_fixture
from databases.mirror.redaction import read_setting
from databases.mirror.relations import leads_to
from databases.mirror.router import MIRROR
from databases.mirror.sample import Sample, snapshot
from seeds import FIXTURES


class Command(BaseCommand):
    help = "Capture a small sample of the mirror as the seed of its test database, with what looks secret blanked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="+", metavar="app.Model", help="models to begin with, or apps")
        parser.add_argument("--limit", type=int, default=50, help="rows of each model at most (50)")
        only = "begin with such rows only, as name__startswith=A; may be given several times"
        parser.add_argument("--filter", action="append", default=[], dest="filters", metavar="FIELD=VALUE", help=only)
        seed = FIXTURES / f"{MIRROR}.json"
        parser.add_argument("--output", type=Path, default=seed, help="file to write (the seed itself)")
        parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")

    def handle(self, *, labels: list[str], limit: int, filters: list[str], **options: Any) -> None:
        output = Path(options["output"])
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if output.exists() and not options["overwrite"]:
            raise CommandError(f"{output} exists: say --overwrite to replace it, or --output to write another file.")
        try:
            ways = read_setting(settings.MIRROR_SEED_COLUMNS)
            sample = take(find_roots(labels), limit, parse_filters(filters))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            # The class only: a driver's message may quote addresses, users and values.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}); nothing was written.") from error
        if not any(sample.rows.values()):
            raise CommandError("No row was found, or none fits; nothing was written.")
        text, report = as_fixture(sample, ways)
        write(output, text)
        for line in [*report, f"Written to {output}. Look through it before you commit it."]:
            self.stdout.write(line)


def find_roots(labels: Iterable[str]) -> list[type[Model]]:
    """Return the mirrored models that labels name: `app.Model`, or an app's label for all of its models.

    The models of an app come with those first that lead to others, so that what they lead to still finds room.
    Raises `CommandError` for a label that names none, and for a model that cannot be captured.
    """
    mirrored = [each for each in models_of(MIRROR) if not each._meta.auto_created and not each._meta.proxy]
    mirrored.sort(key=lambda each: (-len(leads_to(each)), each._meta.label))
    roots: dict[type[Model], None] = {}
    for label in labels:
        found = [each for each in mirrored if label.lower() in (each._meta.label_lower, each._meta.app_label.lower())]
        if not found:
            names = sorted({name for each in mirrored for name in (each._meta.label, each._meta.app_label)})
            raise CommandError(
                f"{label!r} is neither a mirrored model nor an app of them; there are: {', '.join(names)}."
            )
        roots |= dict.fromkeys(found)
    for model in {each for root in roots for each in (root, *leads_to(root))}:
        if isinstance(model._meta.pk, CompositePrimaryKey):
            raise CommandError(f"{model._meta.label} has a composite primary key, which no seed holds: leave it out.")
    return list(roots)


def parse_filters(words: Iterable[str]) -> dict[str, Any]:
    """Return lookups from `field__lookup=value` words. Raises `CommandError`, without the value, for any other word."""
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


def take(roots: list[type[Model]], limit: int, filters: dict[str, Any]) -> Sample:
    """Return a sample of the mirror as it is at one moment."""
    sample = Sample(limit)
    with snapshot():
        for root in roots:
            sample.take(root, filters)
        sample.link()
    return sample


def write(output: Path, text: str) -> None:
    """Write a file as a whole or not at all. Raises `CommandError` where that cannot be."""
    # Not named *.json: every fixture of that name in the folder is taken for a seed.
    temporary = output.with_name(f".{output.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(output)
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds half a character"
        raise CommandError(f"{output} cannot be written: {reason}.") from None
    finally:
        temporary.unlink(missing_ok=True)
