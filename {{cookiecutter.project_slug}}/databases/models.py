# % if cookiecutter.__managed_tenants
"""The models of this app: the registry of tenants, and what they have besides their database."""

from .tenants.copies import TenantCopy
# % else
"""The models of this app: the registry of tenants."""

# % endif
from .tenants.registry import Tenant

# % if cookiecutter.__managed_tenants
__all__ = ["Tenant", "TenantCopy"]
# % else
__all__ = ["Tenant"]
# % endif
