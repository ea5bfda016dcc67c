"""One database per tenant, and the current tenant that decides which one a query goes to."""

from typing import TYPE_CHECKING, Any

from .context import CrossTenantError, NoTenantError, UnknownTenantError, current_tenant, use_tenant
from .threads import carry_tenant

if TYPE_CHECKING:
    from .models import TenantModel

__all__ = [
    "CrossTenantError",
    "NoTenantError",
    "TenantModel",
    "UnknownTenantError",
    "carry_tenant",
    "current_tenant",
    "use_tenant",
]


def __getattr__(name: str) -> Any:
    # Imported when asked for: the log filter brings this package in before models can exist.
    if name == "TenantModel":
        from .models import TenantModel

        return TenantModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
