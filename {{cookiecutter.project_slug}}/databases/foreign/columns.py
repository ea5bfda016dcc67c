"""Columns of the other application: their types in the database, and the fields that read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from databases.foreign.source import Source

#: The type below its domains, and the values of an enumeration.
TYPES = """
    WITH RECURSIVE base AS (
        SELECT attname, atttypid AS oid FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT attname, typbasetype FROM base JOIN pg_type USING (oid) WHERE typtype = 'd'
    )
    SELECT attname, format_type(oid, NULL),
           ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = base.oid ORDER BY enumsortorder)
    FROM base JOIN pg_type USING (oid) WHERE typtype <> 'd'
"""
#: MySQL converts no value of these types to text.
SHAPES = re.compile(r"geom|point|linestring|polygon|multi")
#: Types that Django's introspection of SQLite does not know, as other applications write them.
ALSO_ON_SQLITE = {
    **{"numeric": "DecimalField", "timestamp": "DateTimeField"},
    **dict.fromkeys(("float", "double", "double precision"), "FloatField"),
}
#: For decimals of any number of digits: as many as SQLite keeps, before the point and after.
DIGITS = {"max_digits": 45, "decimal_places": 15}


@dataclass(frozen=True)
class Column:
    """A column: the class of its field with arguments, or `""` if none can read it; and its type in the database.

    `is_zero` says that a NOT NULL column may hold MySQL's date 0000-00-00, which arrives as None, and `is_usable` that
    Django can use its name.
    """

    name: str
    field: str
    arguments: dict[str, Any]
    null: bool
    type: str
    is_zero: bool = False
    is_usable: bool = True


def is_unusable(source: Source, name: str) -> bool:
    """Return whether Django escapes a name wrongly or refuses it, or our own filter sees more in it than a name."""
    refused = {*'%"`', *("$" if source.connection.vendor == "postgresql" else "")}
    return bool(refused & {*name}) or not source.accepts(f"SELECT {source.connection.ops.quote_name(name)}")


def read_types(cursor: Any, vendor: str, quoted: str) -> dict[str, tuple[str, list[str]]]:
    """Return the database's name of each column's type, and the values of an enumeration.

    Arguments: a cursor, Django's name of the engine, and the quoted name of the table. SQLite has none beside Django's.
    """
    if vendor == "postgresql":
        cursor.execute(TYPES, [quoted])
        return {name: (kind, labels) for name, kind, labels in cursor.fetchall()}
    if vendor == "mysql":
        cursor.execute(f"SHOW COLUMNS FROM {quoted}")
        rows = [(name, kind if isinstance(kind, str) else kind.decode()) for name, kind, *_ in cursor.fetchall()]
        labels = {kind: re.findall(r"'((?:[^']|'')*)'", kind) for _, kind in rows if kind.startswith("enum")}
        return {name: (kind, [each.replace("''", "'") for each in labels.get(kind, [])]) for name, kind in rows}
    return {}


def describe(source: Source, row: Any, kind: str, labels: list[str], odd: bool, is_view: bool) -> Column:
    """Return a column.

    Arguments: its database, Django's description, what `read_types` says, whether dates and times may be odd (MySQL's
    0000-00-00, and more than 24 hours), and whether it is a view's.
    """
    connection = source.connection
    try:
        field = connection.introspection.get_field_type(row.type_code, row)
    except KeyError:
        field = ALSO_ON_SQLITE.get(str(row.type_code).partition("(")[0].strip().lower(), "AsTextField")
    arguments: dict[str, Any] = {}
    mysql = connection.vendor == "mysql"
    if labels:
        field = "CharField"
        arguments = {"max_length": max(map(len, labels)), "choices": [[each, each] for each in labels]}
    elif kind == "citext":
        field = "TextField"
    elif kind == "json" and field != "JSONField":
        field = "PlainJSONField"
    elif kind == "timestamp without time zone":
        field = "ZonelessDateTimeField"
    elif mysql and kind.startswith("tinyint(1)"):
        field = "BooleanField"
    elif mysql and (sized := re.match(r"(?:var)?binary\((\d+)\)", kind)):
        field, arguments = "SizedBinaryField", {"max_length": int(sized[1])}
    elif mysql and "blob" in kind:
        field = "BinaryField"
    elif mysql and kind.startswith("bit"):
        field = "BitField"
    elif mysql and kind.startswith("year"):
        field = "IntegerField"
    elif mysql and SHAPES.match(kind):
        field = ""
    elif odd and field == "TimeField":
        field = "AsTextField"
    elif field == "CharField" and row.display_size and int(row.display_size) > 0:
        arguments = {"max_length": int(row.display_size)}
    elif field == "CharField":
        field = "TextField"
    elif field == "DecimalField":
        told = None not in (row.precision, row.scale) and 0 <= row.scale <= row.precision < 1000
        arguments = {"max_digits": row.precision, "decimal_places": row.scale} if told else DIGITS
    null, is_zero = bool(row.null_ok) or is_view, odd and field in ("DateField", "DateTimeField")
    is_usable = not is_unusable(source, row.name)
    return Column(row.name, field, arguments, null, kind or field, is_zero, is_usable)
