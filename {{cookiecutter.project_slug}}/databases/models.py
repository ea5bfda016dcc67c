"""The models of this app: the registry of tenants."""

from .tenants.registry import Tenant

__all__ = ["Tenant"]
