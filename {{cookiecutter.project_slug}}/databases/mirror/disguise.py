"""Makes up the values of a seed: text, JSON, binary data, addresses and UUIDs, unless a setting keeps the column.

A made-up value has the shape of the real one. Equal values of a column become equal, different ones different. Each
depends on the real value and `SECRET_KEY`: two captures write the same one, and without the key no guess can be tested.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import shake_256
from ipaddress import ip_address
from math import isfinite
from string import digits
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import DecimalValidator, MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db.models import GenericIPAddressField, JSONField, Model
from django.utils.crypto import salted_hmac

#: Types of values that are made up only where a setting says "fake".
PLAIN = (bool, int, float, Decimal, date, time, timedelta)
#: What a column enforces. Other validators only check what people enter.
LIMITS = (DecimalValidator, MaxLengthValidator, MaxValueValidator, MinValueValidator)
LONGEST = 1000
#: No vowels, so that no words appear.
LETTERS = "bcdfghjklmnpqrstvwxz"
SEPARATORS = frozenset(" -_.:/,+()\n")


class UnfitError(Exception):
    """A value that a test database cannot hold. The message does not quote it."""


def columns(model: type[Model]) -> list[Any]:
    """Return the columns of a model's own table, without generated ones, which the database computes."""
    return [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]


class Disguise:
    """Turns values into what the seed holds. `made_up` has the fields that got at least one made-up value.

    Argument: the rules of `MIRROR_SEED_COLUMNS`, by field.
    """

    def __init__(self, rules: dict[Any, str]) -> None:
        self.made_up: set[Any] = set()
        self._rules = rules
        self._known: dict[Any, dict[str, Any]] = defaultdict(dict)

    def value(self, field: Any, value: Any) -> Any:
        """Return the value for the fixture. Raises `UnfitError` if the test database could not hold it."""
        column = field
        # A foreign key gets what its target gets.
        while column.remote_field:
            column = column.target_field
        if value not in (None, "") and not self._is_kept(column, value):
            self.made_up.add(field)
            value = self._made_up(column, value)
        if value is None and not field.null:
            raise UnfitError(f"{field.name}: null")
        return None if value is None else as_stored(column, value)

    def _is_kept(self, field: Any, value: Any) -> bool:
        if field in self._rules:
            return self._rules[field] == "keep"
        is_plain = isinstance(value, PLAIN) and not isinstance(field, JSONField)
        return is_plain or value in [choice for choice, _ in field.flatchoices]

    def _made_up(self, field: Any, value: Any) -> Any:
        if field.flatchoices:
            return field.flatchoices[0][0]
        known = self._known[field]
        if repr(value) not in known:
            # After each 50 attempts, texts become one character longer.
            for attempt in range(200):
                made = make(field, value, attempt)
                if made != value and made not in known.values():
                    break
            known[repr(value)] = made
        return known[repr(value)]


def make(field: Any, value: Any, attempt: int) -> Any:
    """Return a made-up value of the same type and shape, which fits the column. Each attempt returns another one."""
    seed = salted_hmac(str(field), f"{attempt} {value!r}", algorithm="sha256").digest()
    number = int.from_bytes(seed, "big")
    match value:
        case str() if isinstance(field, GenericIPAddressField):
            # Reserved addresses: RFC 3849 and RFC 2544.
            return str(ip_address("2001:db8::" if ":" in value else "198.18.0.0") + number % 2**17)
        case str():
            return _text(value + value[-1:] * (attempt // 50), min(field.max_length or LONGEST, LONGEST), seed)
        case bool():
            return False
        case int():
            # Not 0, which MySQL refuses as a key.
            return (1 + number % max(999, abs(value))) * (1 if value >= 0 else -1)
        case float() | Decimal() if isfinite(value):
            return type(value)(_replace(f"{value:f}", seed))
        case bytes():
            return shake_256(seed).digest(min(len(value), LONGEST))
        case UUID():
            return UUID(bytes=seed[:16], version=4)
        case date():
            made = datetime(1970, 1, 1) + timedelta(seconds=number % (50 * 365 * 86400))
            return made.replace(tzinfo=value.tzinfo) if isinstance(value, datetime) else made.date()
        case list():
            return [make(getattr(field, "base_field", field), each, attempt) for each in value]
        case dict():
            return {f"key{place}": make(field, each, attempt) for place, each in enumerate(value.values(), start=1)}
    # Nothing, or a type that is not known here, such as a range.
    return None


def _text(text: str, longest: int, seed: bytes) -> str:
    head = "https://example.invalid/" if "://" in text[:10] and longest >= 32 else ""
    tail = "@example.invalid" if "@" in text and " " not in text and longest >= 32 and not head else ""
    if head or tail:
        text = "x" * max(8, len(text) - len(head + tail))
    return head + _replace(text[: longest - len(head + tail)], seed) + tail


def _replace(text: str, seed: bytes) -> str:
    """Return a text whose digits became other digits, and the rest letters, except for single separators."""
    made = ""
    for char, byte in zip(text, shake_256(seed).digest(len(text)), strict=True):
        others = digits if char.isdigit() else LETTERS
        made += char if char in SEPARATORS and made[-1:] not in SEPARATORS else others[byte % len(others)]
    return made


def as_stored(field: Any, value: Any) -> Any:
    """Return a value as JSON has it. Raises `UnfitError` if its column could not take it back."""
    try:
        if not isinstance(value, bool | int | float | str):
            value = field.value_to_string(SimpleNamespace(**{field.attname: value}))
        text = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False)
        # A surrogate and a NUL character are in no database's text.
        if b"\\u0000" in text.encode():
            raise ValueError
        stored = field.to_python(value)
        for validator in field.validators:
            if isinstance(validator, LIMITS):
                validator(stored)
    except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
        raise UnfitError(f"{field.name}: {getattr(error, 'code', None) or type(error).__name__}") from None
    return value
