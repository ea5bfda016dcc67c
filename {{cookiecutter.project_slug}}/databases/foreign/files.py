"""The files of copied models: the generated one, which each import writes again, and yours, which gets new classes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError

from databases.foreign.generate import Generator
from databases.foreign.naming import camel
from databases.foreign.source import Source

HEAD = '''"""Generated, do not edit: run `manage.py {importer}` again. Your classes are in `__init__.py`."""
# ruff: noqa
# fmt: off
# A ZonelessDateTimeField is read in the TIME_ZONE of its database's settings, by default UTC.

from django.db import models

from databases.foreign.fields import AsTextField, BitField, PlainJSONField, SizedBinaryField, ZonelessDateTimeField
{base_import}
'''
#: A class in a generated file: its name, the chosen key and the table.
CLASS = re.compile(
    r'^class (\w+)\(\w+\):\n(?:    chosen_key = ("[^\n]*")\n)?.*?^        db_table = ("[^\n]*")$', re.M | re.S
)
#: A table without a class: the name of the class, and the table.
LEFT_OUT = re.compile(r'^# (\w+) is left out, ("[^\n]*"): [^\n]*$', re.M)
YOURS = '"""Yours: `{importer}` only adds classes."""\n\nfrom . import upstream\n'
APPS = """from django.apps import AppConfig


class {name}Config(AppConfig):
    name = "{app}"
    default_auto_field = "django.db.models.BigAutoField"
"""
LINE_LENGTH = 120
USED = re.compile(r"\bupstream\.(\w+)|\bupstream import (?:\(([^)]*)\)|([^\n]*))")


def generated(source: Source) -> dict[str, str]:
    """Return the text of each generated file of a role, by app."""
    paths = sorted(settings.BASE_DIR.glob("*/models/upstream.py"))
    texts = {path.parts[-3]: path.read_text(encoding="utf-8") for path in paths}
    return {app: text for app, text in texts.items() if source.base_import in text}


def new_contents(source: Source, generator: Generator, failed: dict[str, str]) -> dict[Path, str]:
    """Return the contents that files should have. Raises `CommandError` for files that are in the way."""
    words = {"importer": source.importer, "base_import": source.base_import}
    # Also of apps whose last class you have deleted.
    classes: defaultdict[str, dict[str, str]] = defaultdict(dict, {app: {} for app in generated(source)})
    for name, copy in generator.copies.items():
        if copy.yours:
            continue
        text = generator.text(generator.tables[name]) if name in generator.tables else copy.text
        if text or failed[name] != "is missing":
            classes[copy.app][copy.name] = text or f"# {copy.name} is left out, {json.dumps(name)}: {failed[name]}"
    result: dict[Path, str] = {}
    for app, texts in classes.items():
        folder = settings.BASE_DIR / app
        if all(text.startswith("#") for text in texts.values()) and not folder.exists():
            # An app without a model would be one more to install, for nothing.
            continue
        if (folder / "models.py").exists():
            raise CommandError(f"{app}/models.py is in the way: make it {app}/models/__init__.py first.")
        if not folder.exists():
            result |= {folder / "__init__.py": "", folder / "migrations/__init__.py": ""}
            result[folder / "apps.py"] = APPS.format(name=camel(app), app=app)
        written = [f"\n\n{texts[name]}\n" for name in sorted(texts)]
        result[folder / "models/upstream.py"] = "".join([HEAD.format(**words), *written])
        yours = folder / "models/__init__.py"
        text, used = read(yours) if yours.exists() else YOURS.format(**words), used_names(app)
        new = [name for name in sorted(texts) if name not in used and not texts[name].startswith("#")]
        added = "".join(f"\n\n{concrete_class(name)}\n" for name in new)
        if new and not re.search(r"^from \. import (?:.*, *)?upstream\b(?! as)", text, re.M):
            added = f"\nfrom . import upstream  # noqa: E402\n{added}"
        # The rest of the file stays as it is, to the byte.
        result[yours] = text + (added.replace("\n", "\r\n") if "\r\n" in text else added)
    return result


def read(path: Path) -> str:
    """Return the text of a file with its line endings. Raises `CommandError` for one that is not UTF-8."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8: convert it first. Nothing was written.") from None


def concrete_class(name: str) -> str:
    """Return the class that is yours, on lines that are short enough for this project's ruff."""
    line = f"class {name}(upstream.{name}): ..."
    return line if len(line) <= LINE_LENGTH else f"class {name}(\n    upstream.{name}\n): ..."


def used_names(app: str) -> set[str]:
    """Return the names of abstract classes that what people have written in an app uses, by any name.

    Models tell it of an installed app, the text of its files of another.
    """
    bases = {base for model in apps.get_models() for base in model.__mro__}
    names = {base.__name__ for base in bases if base.__module__ == f"{app}.models.upstream"}
    paths = [path for path in (settings.BASE_DIR / app).rglob("*.py") if path.name != "upstream.py"]
    found = [match for path in paths for match in USED.findall(path.read_text(encoding="utf-8", errors="replace"))]
    return names | {name for match in found for part in match for name in re.findall(r"\w+", part)}
