"""Cache keys that begin with their tenant."""

from databases.tenants.context import tenant_or_none


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Return the full key, for `KEY_FUNCTION`. A slug has no colon, so keys of two tenants are never equal."""
    return f"{tenant_or_none() or ''}:{key_prefix}:{version}:{key}"
