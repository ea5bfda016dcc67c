"""Makes up the values of a seed: text, JSON, binary data, addresses and UUIDs, unless a setting keeps the column.

A made-up value has the shape of the real one. Equal values of a column become equal, different ones different. Each
depends on the real value and `SECRET_KEY`: two captures write the same one, and without the key no guess can be tested.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from hashlib import shake_256
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from math import isfinite
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.utils import format_number
from django.db.models import Model
from django.utils.crypto import salted_hmac

from databases.mirror.router import MIRROR
from databases.registry import models_of

RULES = ("keep", "fake")
#: Types of values that are made up only where a setting says "fake".
PLAIN = (bool, int, float, Decimal, date, time, timedelta)
LONGEST = 1000
#: No vowels, so that no words appear.
LETTERS = "bcdfghjklmnpqrstvwxz"
SEPARATORS = frozenset(" -_.:/,+()\n")
EPOCH = datetime(1970, 1, 1)
DAYS = 20_000
#: The ranges of the strictest engine: the test database may be on another one than the mirror.
RANGES = BaseDatabaseOperations.integer_field_ranges


class UnfitError(Exception):
    """A value that a test database cannot hold. The message does not quote it."""


def columns(model: type[Model]) -> list[Any]:
    """Return the columns of a model's own table, without generated ones, which the database computes."""
    return [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]


def read_rules() -> dict[Any, str]:
    """Return the rules of `MIRROR_SEED_COLUMNS` by field. Of several patterns for a field, the last one counts.

    Raises `ImproperlyConfigured` for a pattern that matches no column, and for an unknown rule.
    """
    fields = [field for model in models_of(MIRROR) if not model._meta.auto_created for field in columns(model)]
    rules: dict[Any, str] = {}
    for pattern, rule in settings.MIRROR_SEED_COLUMNS.items():
        entry = f"MIRROR_SEED_COLUMNS[{pattern!r}]"
        if rule not in RULES:
            raise ImproperlyConfigured(
                f'{entry} must be "keep" or "fake". Text is made up without an entry: instead of "blank", delete it.'
            )
        found = [field for field in fields if not field.remote_field and fnmatchcase(_name(field), pattern.lower())]
        if not found:
            raise ImproperlyConfigured(
                f"{entry} matches no column of a mirrored model: write app.Model.field. A foreign key has the rule of "
                "the column that it refers to."
            )
        rules |= dict.fromkeys(found, rule)
    return rules


def _name(field: Any) -> str:
    return f"{field.model._meta.label}.{field.name}".lower()


class Disguise:
    """Turns values into what the seed holds. `made_up` has the fields that got at least one made-up value.

    Argument: the rules of `read_rules`.
    """

    def __init__(self, rules: dict[Any, str]) -> None:
        self.made_up: set[Any] = set()
        self._rules = rules
        self._known: dict[Any, dict[str, Any]] = defaultdict(dict)
        self._used: dict[Any, set[str]] = defaultdict(set)

    def value(self, field: Any, value: Any, row: Any) -> Any:
        """Return the value for the fixture. Arguments: the field, its value, and the primary key of the row.

        Raises `UnfitError` if the test database could not hold it.
        """
        column = field
        # A foreign key gets what its target gets.
        while column.remote_field:
            column = column.target_field
        if isinstance(value, memoryview):
            value = bytes(value)
        if not self._is_kept(column, value):
            self.made_up.add(field)
            value = self._made_up(column, value, row)
        return _plain(field, column, value)

    def _is_kept(self, field: Any, value: Any) -> bool:
        if value is None or value in ("", b"", [], {}):
            return True
        if field in self._rules:
            return self._rules[field] == "keep"
        is_plain = isinstance(value, PLAIN) and field.get_internal_type() != "JSONField"
        return is_plain or value in [choice for choice, _ in field.flatchoices]

    def _made_up(self, field: Any, value: Any, row: Any) -> Any:
        if field.flatchoices or isinstance(value, bool):
            # So few values that each must differ by row: one that always became the same would be readable.
            choices = [choice for choice, _ in field.flatchoices] or [False, True]
            source = value if field.unique else row
            return choices[int.from_bytes(_seed(field, source, 0), "big") % len(choices)]
        known, used = self._known[field], self._used[field]
        if repr(value) not in known:
            known[repr(value)] = self._new(field, value, used)
            used.add(str(known[repr(value)]).casefold())
        return known[repr(value)]

    def _new(self, field: Any, value: Any, used: set[str]) -> Any:
        # Longer and longer values, first valid ones, then any.
        for attempt in range(200):
            made = make(field, value, _seed(field, value, attempt), attempt % 100 // 8)
            # Values of JSON may be equal: `{"a": true}` has nothing that could differ.
            if isinstance(value, list | dict):
                return made
            if str(made).casefold() in used or (attempt < 100 and not (_is_valid(field, made) and apart(value, made))):
                continue
            return made
        raise UnfitError(f"no value is left to make up for {field.name}")


def make(field: Any, value: Any, seed: bytes, grow: int) -> Any:
    """Return a made-up value of the same type and shape.

    Arguments: the field, the value, random bytes, and by how much the result should be longer.
    """
    number = int.from_bytes(seed[:16], "big")
    match value:
        case str():
            return _text(field, value, seed, grow)
        case bytes():
            return shake_256(seed).digest(min(len(value) + grow, field.max_length or LONGEST, LONGEST))
        case UUID():
            return UUID(int=number, version=4)
        case bool() | None:
            return value
        case int():
            return _integer(value, number, grow, RANGES.get(field.get_internal_type(), (0, 2**53))[1])
        case float() if isfinite(value):
            return _integer(int(value), number, grow, 2**53) + number % 100 / 100
        case Decimal() if value.is_finite():
            digits, places = getattr(field, "max_digits", None) or 15, getattr(field, "decimal_places", None) or 0
            whole = _integer(int(value), number, grow, 10 ** (digits - places) - 1)
            return Decimal(whole) + Decimal(number % 10**places).scaleb(-places)
        case datetime():
            return EPOCH.replace(tzinfo=value.tzinfo) + timedelta(seconds=number % (DAYS * 86400))
        case date():
            return EPOCH.date() + timedelta(days=number % DAYS)
        case time():
            return (EPOCH + timedelta(seconds=number % 86400)).time().replace(tzinfo=value.tzinfo)
        case timedelta():
            return timedelta(seconds=number % 10**6)
        case list():
            base = getattr(field, "base_field", field)
            seeds = (shake_256(seed + str(place).encode()).digest(32) for place in count())
            return [make(base, each, each_seed, grow) for each, each_seed in zip(value, seeds, strict=False)]
        case dict():
            values = make(field, [*value.values()], seed, grow)
            return {f"key{place}": each for place, each in enumerate(values, start=1)}
    # A type that is not known here, such as a range.
    return None if field.null else _text(field, str(value), seed, grow)


def _seed(field: Any, value: Any, attempt: int) -> bytes:
    return salted_hmac(_name(field), f"{attempt} {value!r}", algorithm="sha256").digest()


def _text(field: Any, text: str, seed: bytes, grow: int) -> str:
    longest = min(field.max_length or LONGEST, LONGEST)
    if field.get_internal_type() == "GenericIPAddressField":
        # Reserved addresses: RFC 2544 and RFC 3849.
        number = int.from_bytes(seed[:8], "big")
        return str(IPv6Address("2001:db8::") + number if ":" in text else IPv4Address("198.18.0.0") + number % 2**17)
    head = "https://example.invalid/" if "://" in text[:10] and longest >= 32 else ""
    tail = "@example.invalid" if "@" in text and not head and len(text.split()) == 1 and longest >= 24 else ""
    if head or tail:
        fixed = len(head + tail)
        shape = "x" * (min(max(len(text), fixed + 8) + grow, longest) - fixed)
    else:
        shape = (text[:longest] + ("0" if text.isdigit() else "x") * grow)[-longest:]
    # Digests stay hexadecimal.
    letters = "bcdf" if len(text) >= 16 and {*text.lower()} <= {*"0123456789abcdef-"} else LETTERS
    made = ""
    for char, byte in zip(shape, shake_256(seed).digest(len(shape)), strict=True):
        if char in SEPARATORS and made[-1:] not in SEPARATORS:
            made += char
        elif char.isdigit():
            made += str(byte % 10)
        else:
            made += letters[byte % len(letters)].upper() if char.isupper() else letters[byte % len(letters)]
    return head + made + tail


def _integer(value: int, number: int, grow: int, high: int) -> int:
    """Return a number of the same sign and about as many digits, `high` at most."""
    digits = len(str(abs(value))) + grow
    least = int("1".ljust(digits, "0"))
    low_end, high_end = (least, min(10 * least - 1, high)) if least <= high else (0, high)
    made = low_end + number % (high_end - low_end + 1)
    return -made if value < 0 else made


def _is_valid(field: Any, value: Any) -> bool:
    try:
        field.run_validators(value)
    except ValidationError:
        return False
    return True


def apart(value: Any, made: Any) -> bool:
    """Return whether a value differs from the real one, and a text or number has no four characters in a row of it."""
    real, text = str(value), str(made).replace("example.invalid", "").replace("https://", "")
    parts = {real[i : i + 4] for i in range(len(real) - 3)} if isinstance(value, str | int) else ()
    return real != text and not any(part in text for part in parts)


def _plain(field: Any, column: Any, value: Any) -> Any:
    """Return a value as JSON has it. Raises `UnfitError` if the field would not take it back."""
    if value is None:
        if not field.null:
            raise UnfitError(f"NULL in {field.name}")
        return None
    try:
        if not isinstance(value, bool | int | float | str):
            value = column.value_to_string(SimpleNamespace(**{column.attname: value}))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        text.encode()
        stored = column.to_python(value)
        if isinstance(stored, Decimal) and column.max_digits:
            format_number(stored, column.max_digits, column.decimal_places)
    except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
        raise UnfitError(f"{type(error).__name__} in {field.name}") from None
    if "\0" in text or (not isinstance(value, str) and "\\u0000" in text):
        raise UnfitError(f"a NUL character in {field.name}")
    kind = column.get_internal_type()
    if isinstance(stored, str) and kind != "TextField" and len(stored) > (column.max_length or len(stored)):
        raise UnfitError(f"{field.name} too long")
    if kind in RANGES and not RANGES[kind][0] <= stored <= RANGES[kind][1]:
        raise UnfitError(f"{field.name} out of range")
    return value
