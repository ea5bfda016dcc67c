"""One database per tenant, and the current tenant that decides which one a query goes to."""

from typing import TYPE_CHECKING, Any

from .context import CrossTenantError, NoTenantError, UnknownTenantError, current_tenant, use_tenant
from .propagation import carry_tenant

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
    # Imported on first use: the log filter imports this package before models can be loaded.
    if name == "TenantModel":
        from .models import TenantModel

        return TenantModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
