"""Cache keys that begin with their tenant."""

from .context import tenant_or_none


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Return the full key, for `KEY_FUNCTION`. Slugs hold no colon, so no tenant can spell another's key."""
    return f"{tenant_or_none() or ''}:{key_prefix}:{version}:{key}"
