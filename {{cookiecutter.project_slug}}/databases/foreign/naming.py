"""Names for apps, classes and fields: the other application's where its tables tell them, and allowed here."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.util import find_spec
from keyword import iskeyword
from unicodedata import normalize

from django.apps import apps
from django.core.management.base import CommandError
from django.core.management.commands import inspectdb
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import split_identifier

from databases.registry import roles_of

#: Tables of Django's own apps that do not begin with the app's label.
OF_DJANGO = {
    **{f"django_{name}": (f"{name}s", name.title()) for name in ("session", "site", "redirect")},
    **{"django_admin_log": ("admin", "LogEntry"), "django_content_type": ("contenttypes", "ContentType")},
    **{"django_flatpage": ("flatpages", "FlatPage"), "django_flatpage_sites": ("flatpages", "FlatPageSites")},
}
LABELS = "SELECT DISTINCT app, '', '' FROM django_migrations"
NAMES = (
    "SELECT t.app_label, t.model, p.name FROM django_content_type t "
    "JOIN auth_permission p ON p.content_type_id = t.id WHERE p.name LIKE 'Can add %'"
)
OUR_FIELDS = ("AsTextField", "BitField", "PlainJSONField", "SizedBinaryField", "ZonelessDateTimeField")


def reserved(base: type) -> list[str]:
    """Return the names that fields cannot have: those of their base class, and those that the generated file uses."""
    return [*dir(base), *dir(type(base)), *OUR_FIELDS, base.__name__, "chosen_key", "models", "objects"]


def directory(connection: BaseDatabaseWrapper, kinds: dict[str, str]) -> dict[tuple[str, str], str]:
    """Return the class names of a Django project by label and lower-case name; for `""` as name, its labels."""
    found: dict[tuple[str, str], str] = {}
    for sql in (LABELS, NAMES):
        if {*re.findall(r"(?:FROM|JOIN) (\w+)", sql)} <= {*kinds}:
            # Our user may not be allowed to read them: then names are told from those of the tables.
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute(sql)
                for label, model, permission in cursor.fetchall():
                    # The words of a permission, "Can add log entry", tell where the capitals are.
                    words = camel(permission.removeprefix("Can add "))
                    found[label, model] = words if words.lower() == model else model.title()
                    found[label, ""] = ""
    return found


def place(table: str, known: dict[tuple[str, str], str]) -> tuple[str, str]:
    """Return the app that a table belongs to, and the name of its model: `blog_post_tags` is `PostTags` of `blog`."""
    if table in OF_DJANGO:
        return OF_DJANGO[table]
    # The longest label: `blog_images_image` belongs to `blog_images`, not to `blog`.
    label = longest(table, {label for label, _ in known}) or table.partition("_")[0] or "tables"
    rest = table[len(label) :].strip("_") or table
    model = longest(rest, {name for app, name in known if app == label and name})
    return label, camel(known.get((label, model), "") + "_" + rest[len(model) :])


def longest(name: str, beginnings: set[str]) -> str:
    """Return the longest of the beginnings that a name has, as whole words."""
    return max((each for each in beginnings if f"{name}_".startswith(f"{each}_")), key=len, default="")


def app_for(label: str, copied: set[str], role: str) -> str:
    """Return the app for a label: that one, or `upstream_<label>` if another package here has its name.

    Arguments: the label, the apps that have copies already, and the role of the copies. Raises `CommandError` if both
    names are taken.
    """
    for app in (label, f"upstream_{label}"):
        free = app.isidentifier() and not iskeyword(app) and app not in apps.app_configs and find_spec(app) is None
        if app in copied or free or roles_of(app) == {role}:
            return app
    raise CommandError(
        f"There is no name for the app {label!r}: it and 'upstream_{label}' are taken. Copy its tables with --tables "
        "and --into."
    )


def normalized(name: str, used: list[str], is_relation: bool) -> str:
    """Return a name that a field can have, made by `inspectdb`."""
    # Python takes letters such as `ﬁ` for others in names.
    found: str = inspectdb.Command().normalize_col_name(normalize("NFKC", name), used, is_relation)[0]
    return found


def bare(table: str) -> str:
    """Return the name of a table without its schema."""
    return str(split_identifier(table)[1])


def camel(name: str) -> str:
    """Return a name for a class: `line_attribute` is `LineAttribute`."""
    words = "".join(char if f"a{char}".isidentifier() else "_" for char in name).split("_")
    found = "".join(word[0].upper() + word[1:] for word in words if word)
    # The last ones would hide what the generated file imports.
    taken = ("None", "True", "False", *OUR_FIELDS)
    return found if found.isidentifier() and found not in taken else f"Table{found}"
