"""Recognises secrets of another application by the names of columns and by values, and removes them from a seed.

Names and patterns are cautious guesses. `MIRROR_SEED_COLUMNS` declares columns that they must not change, and columns
that they cannot recognise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import EmailField
from django.db.models.fields.files import FieldFile

from databases.mirror.fakes import blank, fake
from databases.mirror.relations import key_columns

#: The values of `MIRROR_SEED_COLUMNS`.
RULES = ("blank", "fake", "keep")

#: Secret words in a name, between underscores, hyphens or capitals.
WORDS = re.compile(
    r"(pass|passwords?|pass(wd|code|phrase)s?|pwd?|secrets?|tokens?|jwts?|keys?|(\w*pass|\w*pwd|\w*word)?hash(es|ed)?"
    r"|\w*salts?|sessions?|cookies?|credentials?|creds?|[ht]?otps?|pins?|pincodes?|cards?|cv[cv]2?|ibans?|e?mails?)"
)
#: Secret parts anywhere in a name, without its underscores.
INSIDE = re.compile(
    r"passw(or)?d|passphrase|passcode|secret(?!ar)|token|credential|session|salted|email|mailaddr"
    r"|(api|app|auth|access|private|public|secret|sign(ing)?|ssh|gpg|pgp|rsa|aes|hmac|licen[cs]e|crypt|encryption|master)key"
    r"|(credit|debit|bank)card|card(no|num)|ibann|otp(code|secret)"
)
#: Patterns of secret values. Texts may be long, so each repetition that could run over a whole text is bounded.
PATTERNS = {
    "an e-mail address": re.compile(r"\S(@|%40)[\w-]+\.\w"),
    "a password hash": re.compile(
        r"\b(pbkdf2\w*|bcrypt(_sha256)?|argon2\w*|scrypt|sha1|md5)\$|\$(1|5|6|y|2[abxy]?|argon2\w*|scrypt|pbkdf2[\w-]*)\$"
        r"|\{(S?SHA\d*|S?MD5|CRYPT)\}",
        re.IGNORECASE,
    ),
    "a key": re.compile(r"-----BEGIN "),
    "a signed token": re.compile(r"\beyJ[\w-]{5,500}\.[\w-]"),
    "an access key": re.compile(
        r"\b((A3T|AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|[rs]k_(live|test)_\w{10,}|xox[a-z]-\S{10,})"
    ),
    "a URL with a password": re.compile(r"://[^\s/:@]{0,200}:[^\s@]{1,200}@"),
}


class Redacted(NamedTuple):
    """A value for the seed, what was done to it (`kept`, `blanked` or `faked`), and why."""

    value: Any
    done: str = "kept"
    why: str = ""


def read_setting(columns: Mapping[str, str]) -> dict[Any, str]:
    """Return the rules of `MIRROR_SEED_COLUMNS` by model field.

    Raises `ImproperlyConfigured` for an unknown model, column or rule, and for a rule that would change a key.
    """
    found: dict[Any, str] = {}
    keys = key_columns()
    models = {field.model for field in keys}
    for name, rule in columns.items():
        entry = f"MIRROR_SEED_COLUMNS[{name!r}]"
        label, _, column = name.rpartition(".")
        try:
            model = apps.get_model(label)
            field: Any = model._meta.get_field(column)
        except (LookupError, ValueError, FieldDoesNotExist):
            model, field = None, None
        if model not in models or not getattr(field, "concrete", False) or field.many_to_many:
            raise ImproperlyConfigured(f"{entry} names no column of a mirrored model: write it as app.model.field.")
        if rule not in RULES:
            raise ImproperlyConfigured(f"{entry} must be one of: {', '.join(RULES)}.")
        if field in keys and rule != "keep":
            raise ImproperlyConfigured(f"{entry} is a key, which relations need: keep it, or do not capture its model.")
        found[field] = rule
    return found


def redact(field: Any, value: Any, pk: Any, rule: str | None = None) -> Redacted:
    """Return the value that a seed holds instead of a value.

    Arguments: the model field, its value, the primary key of its row, and the column's rule in `MIRROR_SEED_COLUMNS`.
    Raises `CommandError`, without the value, if the value's type has no replacement.
    """
    if rule == "keep" or value is None or str(value) == "":
        return Redacted(value)
    if rule == "fake":
        return Redacted(fake(field, value, pk), "faked", "as MIRROR_SEED_COLUMNS says")
    if rule == "blank":
        return Redacted(blank(field, value, pk), "blanked", "as MIRROR_SEED_COLUMNS says")
    if why := secret_column(field):
        return Redacted(blank(field, value, pk), "blanked", why)
    if isinstance(value, bytes | memoryview):
        return Redacted(blank(field, value, pk), "blanked", "because binary data cannot be examined")
    if isinstance(value, list | dict):
        scrubbed = scrub(value)
        return Redacted(scrubbed, "blanked", "in parts that look secret") if scrubbed != value else Redacted(value)
    if isinstance(value, str | FieldFile) and (what := looks_like(str(value))):
        return Redacted(blank(field, value, pk), "blanked", f"because it looks like {what}")
    return Redacted(value)


def secret_column(field: Any) -> str:
    """Return why a column is secret, or an empty text. Booleans and automatic keys never are."""
    if field.get_internal_type() in ("BooleanField", "AutoField", "BigAutoField", "SmallAutoField"):
        return ""
    if isinstance(field, EmailField):
        return "because it holds e-mail addresses"
    return "because of its name" if is_secret_name(field.name) or is_secret_name(field.column) else ""


def is_secret_name(name: str) -> bool:
    """Return whether the name of a column, or of a key in JSON, is a secret's: `api_key`, `apiKey`, `access-token`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+", " ", name).lower().split()
    return any(WORDS.fullmatch(word.rstrip("0123456789")) for word in words) or bool(INSIDE.search("".join(words)))


def looks_like(text: str) -> str:
    """Return which kind of secret a text looks like or contains, or an empty text."""
    for what, pattern in PATTERNS.items():
        if pattern.search(text):
            return what
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        return "JSON with a secret in it" if scrub(value) != value else ""
    return ""


def scrub(value: Any) -> Any:
    """Return JSON without secrets: a value with a secret name or look becomes the empty value of its type."""
    match value:
        case str():
            return "" if looks_like(value) else value
        case list() | tuple():
            return [scrub(each) for each in value]
        case dict():
            kept = {key: each for key, each in value.items() if not looks_like(str(key))}
            return {key: _emptied(each) if is_secret_name(str(key)) else scrub(each) for key, each in kept.items()}
    return value


def _emptied(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else type(value)()
