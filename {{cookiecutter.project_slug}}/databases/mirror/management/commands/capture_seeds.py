"""`manage.py capture_seeds materials.Material --limit 20`: writes a sample of the mirror as its seed, without texts."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.db.models import Model, QuerySet

from databases.mirror.disguise import Disguise, columns, read_rules
from databases.mirror.router import MIRROR
from databases.mirror.seeds import UNREADABLE, Sample, as_fixture, snapshot, targets
from databases.registry import models_of


class Command(BaseCommand):
    help = "Write a small sample of the mirror as the seed of its test database. Text is made up, numbers are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="+", metavar="app.Model", help="models, or the labels of apps")
        parser.add_argument("--limit", type=int, default=50, help="maximum number of rows of each model (50)")
        parser.add_argument("--exclude", nargs="+", default=[], metavar="app.Model", help="models or apps to leave out")
        matching = "take only matching rows of these models, such as name__startswith=A; may be repeated"
        parser.add_argument(
            "--filter", action="append", default=[], dest="filters", metavar="FIELD=VALUE", help=matching
        )
        seed = settings.BASE_DIR / "seeds" / "fixtures" / f"{MIRROR}.json"
        parser.add_argument("--output", type=Path, default=seed, help="file to write (the seed)")
        existing = parser.add_mutually_exclusive_group()
        existing.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
        existing.add_argument("--append", action="store_true", help="add the rows that the file does not have")

    def handle(self, *, labels: list[str], limit: int, filters: list[str], exclude: list[str], **options: Any) -> None:
        output = Path(options["output"])
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if output.exists() and not (options["overwrite"] or options["append"]):
            raise CommandError(
                f"{output} exists: use --overwrite to replace it, --append to add rows, or --output for another file."
            )
        existing = read(output) if options["append"] and output.exists() else []
        sample = Sample(limit, find_models(exclude))
        roots = [matching(model, filters) for model in find_models(labels)]
        try:
            disguise = Disguise(read_rules())
            with snapshot():
                for root in roots:
                    sample.take(root)
            records = as_fixture(sample, disguise, existing)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, *UNREADABLE) as error:
            # The class only: a driver's message may contain addresses, users and values.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}); nothing was written.") from None
        for line in report(sample, disguise):
            self.stdout.write(line)
        if not records:
            raise CommandError("No row matches, or none can be captured; nothing was written.")
        write(output, records)
        self.stdout.write(f"Written to {output}. Read it before you commit it.")


def find_models(labels: Iterable[str]) -> list[type[Model]]:
    """Return the mirrored models for labels in any case: `app.Model`, or an app for all of its managed models.

    A test database has no tables for unmanaged models, unless you create them. Models with more targets come first, so
    that their targets still fit the limit. Raises `CommandError` for an unknown label.
    """
    mirrored = [each for each in models_of(MIRROR) if not each._meta.auto_created]
    found: set[type[Model]] = set()
    for label in labels:
        new = {
            each._meta.concrete_model or each
            for each in mirrored
            if label.lower() == each._meta.label_lower
            or (label.lower() == each._meta.app_label.lower() and each._meta.managed)
        }
        if not new:
            names = sorted({name for each in mirrored for name in (each._meta.label, each._meta.app_label)})
            raise CommandError(
                f"{label!r} is neither a mirrored model nor an app with mirrored models. There are: {', '.join(names)}."
            )
        found |= new
    return sorted(found, key=lambda each: (-len(targets(each)), each._meta.label))


def matching(model: type[Model], filters: Iterable[str]) -> QuerySet[Any]:
    """Return a query for the rows that match all words, which are `field__lookup=value`. Raises `CommandError`."""
    query: QuerySet[Any] = QuerySet(model)
    for word in filters:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise CommandError("--filter takes field=value or field__lookup=value, such as name__startswith=A.")
        value: Any = text.split(",") if name.endswith("__in") else text
        if name.endswith("__isnull"):
            value = text.lower() in ("1", "true", "yes", "on")
        try:
            # A subquery, because a filter across a multi-valued relation would return a row several times.
            query = query.filter(pk__in=QuerySet(model).filter(**{name: value}).values("pk"))
        except FieldError as error:
            raise CommandError(f"--filter does not fit {model._meta.label}: {error}") from error
        except (ValueError, TypeError, ValidationError):
            # `from None`: the original error quotes the value.
            raise CommandError(f"--filter does not fit {model._meta.label}: {name} cannot have this value.") from None
    return query


def report(sample: Sample, disguise: Disguise) -> Iterable[str]:
    """Yield a line for each model: the number of rows, why others are left out, and what was made up and kept."""
    for model in sorted({*sample.rows, *sample.left_out}, key=lambda each: each._meta.label):
        if model._meta.auto_created:
            continue
        parts = {
            "left out": [f"{count} ({why})" for why, count in sorted(Counter(sample.left_out[model].values()).items())],
            "made up": [field.name for field in columns(model) if field in disguise.made_up],
            "kept": [field.name for field in columns(model) if field not in disguise.made_up],
        }
        told = "".join(f"; {what}: {', '.join(names)}" for what, names in parts.items() if names)
        yield f"{model._meta.label}: {len(sample.rows[model])} rows{told}"


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of an existing fixture. Raises `CommandError` for a file that is none."""
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return [{"model": each["model"], "pk": each["pk"], "fields": {**each["fields"]}} for each in records]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CommandError(f"{path} is not a fixture that --append can extend ({type(error).__name__}).") from None


def write(output: Path, records: list[dict[str, Any]]) -> None:
    """Write a complete file or none. Raises `CommandError` if the file cannot be written."""
    # Not named *.json: each such file in the folder counts as a seed.
    temporary = output.with_name(f".{output.name}.new")
    text = json.dumps(records, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    try:
        temporary.write_text(f"{text}\n", encoding="utf-8", newline="\n")
        temporary.replace(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}.") from None
    finally:
        temporary.unlink(missing_ok=True)
