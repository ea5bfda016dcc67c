"""`manage.py capture_seeds materials.Material --limit 20`: writes a sample of the mirror as its seed, without texts."""

import json
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.db.models import Model, QuerySet

from databases.mirror.disguise import Disguise, columns, name_of
from databases.mirror.router import MIRROR
from databases.mirror.seeds import UNREADABLE, Sample, snapshot, targets
from databases.registry import models_of


class Command(BaseCommand):
    help = "Write a small sample of the mirror as the seed of its test database. Text is made up, numbers are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="+", metavar="app.Model", help="models, or the labels of apps")
        parser.add_argument("--limit", type=int, default=50, help="maximum number of rows of each model (50)")
        parser.add_argument("--exclude", nargs="+", default=[], metavar="app.Model", help="models or apps to leave out")
        only = "take only rows that match, such as name__startswith=A; may be repeated"
        parser.add_argument("--filter", action="append", default=[], dest="filters", metavar="FIELD=VALUE", help=only)
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
        queries = [matching(model, filters) for model in find_models(labels)]
        disguise, excluded = Disguise(read_rules()), find_models(exclude)
        try:
            existing = json.loads(output.read_text(encoding="utf-8")) if options["append"] and output.exists() else []
            sample = Sample(limit, disguise, excluded, existing)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise CommandError(f"--append cannot extend {output} ({type(error).__name__}).") from None
        try:
            with snapshot():
                for query in queries:
                    sample.take(query)
            records = existing + sample.records()
        except (DatabaseError, *UNREADABLE) as error:
            # The class only: a driver's message may contain addresses, users and values.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}); nothing was written.") from None
        for model in sorted({*sample.rows, *sample.left_out}, key=lambda each: each._meta.label):
            self.stdout.write(report(model, sample))
        if not records:
            raise CommandError("No row matches, or none can be captured; nothing was written.")
        write(output, records)
        self.stdout.write(f"Written to {output}. Read it before you commit it.")


def read_rules() -> dict[Any, str]:
    """Return the rules of `MIRROR_SEED_COLUMNS` by field. Of several patterns for a field, the last one counts.

    Raises `CommandError` for a pattern that matches no column, and for an unknown rule.
    """
    fields = [field for model in models_of(MIRROR) if not model._meta.auto_created for field in columns(model)]
    rules: dict[Any, str] = {}
    for pattern, rule in settings.MIRROR_SEED_COLUMNS.items():
        found = [field for field in fields if not field.remote_field and fnmatchcase(name_of(field), pattern.lower())]
        if not found or rule not in ("keep", "fake"):
            raise CommandError(
                f'MIRROR_SEED_COLUMNS[{pattern!r}] must match columns (app.model.field) and be "keep" or "fake". '
                "A foreign key follows the column that it refers to."
            )
        rules |= dict.fromkeys(found, rule)
    return rules


def find_models(labels: Iterable[str]) -> list[type[Model]]:
    """Return the mirrored models for labels in any case: `app.Model`, or an app for all of its managed models.

    A test database has no tables for unmanaged models, unless you create them. Models with more targets come first, so
    that their targets still fit the limit. Raises `CommandError` for an unknown label.
    """
    found: set[type[Model]] = set()
    for label in labels:
        new = {
            model._meta.concrete_model or model
            for model in models_of(MIRROR)
            if not model._meta.auto_created
            if label.lower() == model._meta.label_lower
            or (label.lower() == model._meta.app_label.lower() and model._meta.managed)
        }
        if not new:
            raise CommandError(f"{label!r} is neither a mirrored model (app.Model) nor an app with mirrored models.")
        found |= new
    return sorted(found, key=lambda each: (-len(targets(each)), each._meta.label))


def matching(model: type[Model], filters: Iterable[str]) -> QuerySet[Any]:
    """Return a query for the rows that match all words, which are `field__lookup=value`. Raises `CommandError`."""
    query: QuerySet[Any] = QuerySet(model)
    for word in filters:
        name, _, text = word.partition("=")
        value: Any = text.split(",") if name.endswith("__in") else text
        if name.endswith("__isnull"):
            value = text.lower() in ("1", "true", "yes", "on")
        try:
            # A subquery, because a filter across a multi-valued relation would return a row several times.
            query = query.filter(pk__in=QuerySet(model).filter(**{name: value}).values("pk"))
        except (FieldError, ValueError, TypeError, ValidationError):
            # `from None`: the original error quotes the value.
            raise CommandError(
                f"--filter={name}=... does not fit {model._meta.label}: it takes field=value or field__lookup=value."
            ) from None
    return query


def report(model: type[Model], sample: Sample) -> str:
    """Return what became of a model: its number of rows, why others are left out, and what was made up and kept."""
    made_up = sample.disguise.made_up
    parts = {
        "left out": [f"{count} ({why})" for why, count in sorted(Counter(sample.left_out[model].values()).items())],
        "made up": [field.name for field in columns(model) if field in made_up],
        "kept": [field.name for field in columns(model) if field not in made_up],
    }
    told = "".join(f"; {what}: {', '.join(names)}" for what, names in parts.items() if names)
    return f"{model._meta.label}: {len(sample.rows[model])} rows{told}"


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
