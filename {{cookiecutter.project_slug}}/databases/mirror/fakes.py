"""Replaces a secret value in a seed by an empty value, or by a fake of the same type.

A fake depends only on the primary key and the column, so that two captures write the same one.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from django.core.management.base import CommandError
from django.db.models import UniqueConstraint
from django.db.models.fields.files import FieldFile

EPOCH = datetime(2000, 1, 1)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SMALL = {"SmallIntegerField": 2**15, "PositiveSmallIntegerField": 2**15, "BigIntegerField": 2**63}


def blank(field: Any, value: Any, pk: Any) -> Any:
    """Return NULL if the column allows it, a fake if the column is unique, or else the empty value of its type.

    Arguments: the model field, the value to replace, and the primary key of its row. Raises `CommandError`, without the
    value, for a type without an empty value.
    """
    if value is None or field.null:
        return None
    if is_unique(field) or field.get_internal_type() == "GenericIPAddressField":
        return fake(field, value, pk)
    match value:
        case FieldFile():
            return ""
        case bytes() | memoryview():
            return b""
        case datetime():
            return EPOCH.replace(tzinfo=value.tzinfo)
        case date():
            return EPOCH.date()
        case time():
            return time()
        case UUID():
            return UUID(int=0)
        case str() | int() | float() | Decimal() | timedelta() | list() | dict():
            return type(value)()
    raise _no_value(field)


def fake(field: Any, value: Any, pk: Any) -> Any:
    """Return a fake for a value, and NULL for NULL. Arguments and errors: as for `blank`."""
    number = _number(pk)
    if field.choices and not is_unique(field) and value is not None:
        return field.flatchoices[number % len(field.flatchoices)][0]
    match value:
        case None:
            return None
        case str() | FieldFile():
            return _text(field, str(value), number)
        case bytes() | memoryview():
            return str(number).encode()
        case bool():
            return number % 2 == 1
        case int():
            return number % SMALL.get(field.get_internal_type().removeprefix("Positive"), 2**31)
        case float():
            return float(number)
        case Decimal():
            return Decimal(number % 10 ** (field.max_digits - field.decimal_places))
        case datetime():
            return EPOCH.replace(tzinfo=value.tzinfo) + timedelta(minutes=number % 10**6)
        case date():
            return EPOCH.date() + timedelta(days=number % 10**4)
        case time():
            return (EPOCH + timedelta(seconds=number % 86400)).time()
        case timedelta():
            return timedelta(seconds=number % 10**6)
        case UUID():
            return uuid5(NAMESPACE_OID, f"{field} {number}")
        case list():
            return []
        case dict():
            return {"number": number}
    raise _no_value(field)


def is_unique(field: Any) -> bool:
    """Return whether the database may refuse two rows with the same value of this column."""
    meta = field.model._meta
    constraints = [each for each in meta.constraints if isinstance(each, UniqueConstraint)]
    # A constraint on an expression, such as Lower("email"), has its columns inside the expression.
    expressions: list[Any] = [expression for each in constraints for expression in each.expressions]
    parts: list[Any] = [part for expression in expressions for part in expression.flatten()]
    together = [*meta.unique_together, *(each.fields for each in constraints)]
    named = {name for names in together for name in names} | {getattr(part, "name", None) for part in parts}
    return bool(field.unique or field.name in named)


def _number(pk: Any) -> int:
    """Return a whole number for a primary key: the key itself if it is one, or else a digest."""
    if isinstance(pk, int) and pk >= 0:
        return pk
    return int.from_bytes(hashlib.blake2b(str(pk).encode(), digest_size=5).digest(), "big")


def _text(field: Any, value: str, number: int) -> str:
    kind = type(field).__name__
    if field.get_internal_type() == "GenericIPAddressField":
        # Reserved addresses: RFC 2544 and RFC 3849.
        return str(IPv4Address("198.18.0.0") + number % 2**17 if "." in value else IPv6Address("2001:db8::") + number)
    whole = f"{field.name} {number}"
    if "@" in value or kind == "EmailField":
        whole = f"user{number}@example.invalid"
    elif "://" in value or kind == "URLField":
        whole = f"https://example.invalid/{number}"
    elif kind == "SlugField":
        whole = whole.replace(" ", "-")
    if field.max_length is None or len(whole) <= field.max_length:
        return whole
    # Truncate before the number, which makes rows differ. If even the number is too long, write it in base 36.
    digits = str(number) if len(str(number)) <= field.max_length else _base36(number)[-field.max_length :]
    return str(field.name)[: field.max_length - len(digits)] + digits


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits


def _no_value(field: Any) -> CommandError:
    name = f"{field.model._meta.label_lower}.{field.name}"
    return CommandError(f'{name} cannot be blanked or faked. Set "{name}": "keep" in MIRROR_SEED_COLUMNS.')
