"""Whether a project reads through its copies what the other application's server has: each value of each row."""

import json
from typing import Any

from tests.support.bakes import Bake
from tests.support.environments import Environment

#: Prints what was compared, and what differs. Its argument is the URL of the other application's owner, whose
#: connection has no guard, and no converter of Django: the server itself turns each value into text.
COMPARE = r'''
import json, re, sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
import django
django.setup()
from django.db import ConnectionHandler
from databases.environment import from_url
from databases.registry import models_of

owner = ConnectionHandler({"default": {}, "owner": {**from_url(sys.argv[1], "OWNER"), "TIME_ZONE": "UTC"}})["owner"]
quote, postgresql = owner.ops.quote_name, owner.vendor == "postgresql"
said = dict.fromkeys(("models", "rows", "values", "zero_dates", "followed", "filtered"), 0)
said |= {"hidden": {}, "differences": [], "broken": [], "missed": []}
#: Fields for which two equal values need not be equal for a filter.
NOT_SIMPLE = ("FloatField", "JSONField", "PlainJSONField", "ArrayField")
#: PostgreSQL cannot compare these for equality, so no filter can find them.
INCOMPARABLE = ("json", "xml", "point", "polygon", "jsonpath")


def ask(sql):
    with owner.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def types_of(table):
    if postgresql:
        columns = f"pg_attribute WHERE attrelid = '{literal(table)}'::regclass AND attnum > 0"
        return dict(ask(f"SELECT attname, format_type(atttypid, NULL) FROM {columns}"))
    columns = f"information_schema.columns WHERE table_schema = database() AND table_name = '{literal(table)}'"
    return dict(ask(f"SELECT column_name, data_type FROM {columns}"))


def literal(table):
    return (quote(table) if postgresql else table).replace("'", "''")


def as_text(field, kind):
    column = quote(field.column)
    if postgresql and field.get_internal_type() == "ArrayField":
        return f"to_jsonb({column})::text"
    if postgresql:
        # The text that the server sends; a cast would drop the spaces at the end of a char(n).
        return f"CASE WHEN num_nulls({column}) = 0 THEN format('%s', {column}) END"
    if kind == "bit":
        return f"CAST({column} + 0 AS CHAR)"
    return f"LOWER(HEX({column}))" if re.search("binary|blob|geometry|point", kind) else f"CAST({column} AS CHAR)"


def seconds(text):
    """Read an interval as drivers do: a year has 365 days and a month 30."""
    days = sum(int(number) * {"y": 365, "m": 30, "d": 1}[unit] for number, unit in re.findall(r"(-?\d+) ([ymd])", text))
    clock = re.search(r"(-?)(\d+):(\d+):(\d+)(\.\d+)?$", text)
    sign, hours, minutes, whole, rest = clock.groups() if clock else ("", 0, 0, 0, None)
    took = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(f"{whole}{rest or ''}"))
    return timedelta(days=days) + (-took if sign else took)


def plain(value):
    """Return an element of an array as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, str, dict, Decimal)) else str(value)


def same(value, text, field, kind):
    internal = field.get_internal_type()
    if internal == "JSONField" and text is not None:
        return json.loads(text) == value
    if value is None or text is None:
        if text is not None and not postgresql and re.match(r"\d{4}-(00|\d\d-00)", text):
            said["zero_dates"] += 1
            return value is None
        return value is text
    if internal == "ArrayField":
        return plain(value) == json.loads(text, parse_float=Decimal)
    readers = {
        bool: lambda: {"t": True, "f": False, "1": True, "0": False}.get(text),
        int: lambda: int(text), float: lambda: float(text), UUID: lambda: UUID(text),
        Decimal: lambda: Decimal(text), timedelta: lambda: seconds(text), time: lambda: time.fromisoformat(text),
        datetime: lambda: datetime.fromisoformat(text), date: lambda: date.fromisoformat(text),
        bytes: lambda: bytes.fromhex(text.removeprefix("\\x")), str: lambda: text,
    }
    if isinstance(value, memoryview):
        value = bytes(value)
    if isinstance(value, datetime) and not datetime.fromisoformat(text).tzinfo:
        value = value.replace(tzinfo=None)
    if value != value:
        return text == "NaN"
    if type(value) in readers:
        return value == readers[type(value)]()
    # A range, which Python and the server print in their own ways.
    return range_text(str(value)) == range_text(text)


def range_text(text):
    return re.sub(r'["\s]|None', "", text).replace("+00:00", "+00")


def compare(model):
    meta, kinds = model._meta, types_of(model._meta.db_table)
    fields = meta.concrete_fields
    keys = meta.pk_fields
    columns = ", ".join(as_text(field, kinds.get(field.column, "")) for field in fields)
    order = ", ".join(quote(field.column) for field in keys)
    theirs = ask(f"SELECT {columns} FROM {quote(meta.db_table)} ORDER BY {order}")
    rows = model._base_manager.order_by(*[field.attname for field in keys])
    ours = list(rows)
    matched = iter(theirs)
    for row in ours:
        values = [getattr(row, field.attname) for field in fields]
        texts = next((each for each in matched if all(
            same(value, text, field, kinds[field.column])
            for field, value, text in zip(fields, values, each) if field in keys
        )), None)
        if texts is None:
            said["differences"].append(f"{meta.label} {row.pk!r}: no such row")
            break
        for field, value, text in zip(fields, values, texts):
            said["values"] += 1
            if not same(value, text, field, kinds[field.column]):
                said["differences"].append(f"{field} ({kinds[field.column]}): {value!r}, and {text!r} there")
    said["models"] += 1
    said["rows"] += len(ours)
    if len(ours) != len(theirs):
        said["hidden"][meta.label] = len(theirs) - len(ours)
    for field in meta.local_many_to_many:
        number = sum(len(getattr(row, field.name).all()) for row in rows.prefetch_related(field.name))
        said["followed"] += number
        if number != (there := field.remote_field.through._base_manager.count()):
            said["broken"].append(f"{field}: {number} of {there}")
    for field in fields:
        if field.remote_field:
            follow(field, rows.select_related(field.name), len(ours))
        if field.get_internal_type() not in NOT_SIMPLE and kinds[field.column] not in INCOMPARABLE:
            look_up(rows, field, [ours[0], ours[-1]] if ours else [])


def follow(field, rows, number):
    found = list(rows)
    if len(found) != number:
        said["broken"].append(f"{field}: {len(found)} rows of {number}")
    for row in found:
        value, related = getattr(row, field.attname), getattr(row, field.name)
        there = getattr(related, field.target_field.attname, None)
        said["followed"] += 1
        # Some types ignore the case.
        if str(there).lower() != str(value).lower():
            said["broken"].append(f"{field}: {value!r} leads to {related!r}")


def look_up(rows, field, examples):
    for row in examples:
        value = getattr(row, field.attname)
        if value is None or value != value:
            continue
        said["filtered"] += 1
        try:
            found = rows.filter(**{field.attname: value, "pk": row.pk}).exists()
        except Exception as error:
            found, value = False, f"{value!r}: {type(error).__name__}: {error}"
        if not found:
            said["missed"].append(f"{field}={value!r}"[:300])


for model in models_of("mirror"):
    try:
        compare(model)
    except Exception as error:
        said["differences"].append(f"{model._meta.label}: {type(error).__name__}: {error}"[:300])
print(json.dumps(said))
'''


def compare(project: Bake, tools: Environment, production: dict[str, str], owner: str) -> dict[str, Any]:
    """Return how many rows, relations and filters of a project's copies were tried, and what was wrong.

    Arguments: the environment of the project in production, and the URL of the other application's owner.
    """
    env = {**production, "DJANGO_SETTINGS_MODULE": "config.settings"}
    said = project.run(tools, "python", "-c", COMPARE, owner, env=env)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found
