"""`manage.py capture_seeds materials.Material --limit 20`: writes a sample of the mirror as its seed, without texts."""

import fnmatch
import json
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError
from django.db.models import Model

from databases.mirror.disguise import Disguise, columns
from databases.mirror.router import MIRROR
from databases.mirror.seeds import UNREADABLE, Sample, snapshot
from databases.registry import models_of


class Command(BaseCommand):
    help = "Write a small sample of the mirror as the seed of its test database. Text is made up, numbers are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        seed = settings.BASE_DIR / "seeds" / "fixtures" / f"{MIRROR}.json"
        parser.add_argument("labels", nargs="+", metavar="app.Model", help="models, or the labels of apps")
        parser.add_argument("--limit", type=int, default=50, help="maximum number of rows of each model (50)")
        parser.add_argument("--exclude", nargs="+", default=[], metavar="app.Model", help="models or apps to leave out")
        parser.add_argument("--output", type=Path, default=seed, help="file to write (the seed)")
        existing = parser.add_mutually_exclusive_group()
        existing.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
        existing.add_argument("--append", action="store_true", help="add the rows that the file does not have")

    def handle(self, *, labels: list[str], limit: int, exclude: list[str], output: Path, **options: Any) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if output.exists() and not (options["overwrite"] or options["append"]):
            raise CommandError(f"{output} exists: use --overwrite to replace it, or --append to add rows.")
        models, excluded, disguise = find_models(labels), find_models(exclude), Disguise(read_rules())
        try:
            existing = json.loads(output.read_text(encoding="utf-8")) if options["append"] and output.exists() else []
            sample = Sample(limit, disguise, excluded, existing)
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"--append cannot extend {output} ({type(error).__name__}): use --overwrite, or name another file."
            raise CommandError(why) from None
        try:
            with snapshot():
                sample.take(models)
            records = existing + sample.records()
        except (DatabaseError, *UNREADABLE) as error:
            # The class only: a driver's message may contain addresses, users and values.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}); nothing was written.") from None
        for model in sorted({*sample.rows, *sample.left_out}, key=lambda each: each._meta.label):
            self.stdout.write(report(model, sample))
        if not records:
            raise CommandError("There are no rows, or none can be captured (see above); nothing was written.")
        write(output, records)
        self.stdout.write(f"Written to {output}. Read it before you commit it.")


def find_models(labels: list[str]) -> set[type[Model]]:
    """Return the mirrored models for labels in any case: `app.Model`, or an app for all of its models.

    Raises `CommandError` for a label without models.
    """
    models = [model for model in models_of(MIRROR) if not model._meta.auto_created]
    found: set[type[Model]] = set()
    for label in labels:
        new = {model for model in models if label.lower() in (model._meta.label_lower, model._meta.app_label.lower())}
        if not new:
            raise CommandError(f"{label!r} is neither a mirrored model (app.Model) nor an app of some: correct it.")
        found |= {model._meta.concrete_model or model for model in new}
    return found


def read_rules() -> dict[Any, str]:
    """Return the rules of `MIRROR_SEED_COLUMNS` by field. Of several patterns for a field, the last one counts.

    Raises `CommandError` for a pattern that matches no column, and for an unknown rule.
    """
    own = [field for model in models_of(MIRROR) for field in columns(model) if not field.remote_field]
    fields = {str(field).lower(): field for field in own}
    rules: dict[Any, str] = {}
    for pattern, rule in settings.MIRROR_SEED_COLUMNS.items():
        names = fnmatch.filter(fields, pattern.lower())
        if not names or rule not in ("keep", "fake"):
            raise CommandError(
                f'MIRROR_SEED_COLUMNS[{pattern!r}] must match columns (app.model.field) and be "keep" or "fake". '
                "A foreign key follows the column that it refers to."
            )
        rules |= {fields[name]: rule for name in names}
    return rules


def report(model: type[Model], sample: Sample) -> str:
    """Return the number of rows of a model, why others are left out, and which columns are made up."""
    reasons = sorted(Counter(sample.left_out[model].values()).items())
    left_out = [f"{count} left out ({reason})" for reason, count in reasons]
    made_up = ", ".join(field.name for field in columns(model) if field in sample.disguise.made_up)
    return "; ".join([f"{model._meta.label}: {len(sample.rows[model])} rows", *left_out, f"made up: {made_up or '-'}"])


def write(output: Path, records: list[dict[str, Any]]) -> None:
    """Write a complete file or none. Raises `CommandError` if the file cannot be written."""
    # Not named *.json: each such file in the folder counts as a seed.
    temporary = output.with_name(f".{output.name}.new")
    text = json.dumps(records, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    try:
        temporary.write_text(f"{text}\n", encoding="utf-8", newline="\n")
        temporary.replace(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written ({error.strerror}): name another file.") from None
    finally:
        temporary.unlink(missing_ok=True)
