"""Where a tenant is served, and who may log in there: tables in the primary database, beside the registry."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import DEFAULT_DB_ALIAS, models

from databases.tenants.context import current_tenant
from databases.tenants.registry import Tenant

#: A host name in lower case, without a port and a final dot.
NAME = r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"


class Domain(models.Model):
    """A host of a tenant's own. `TENANT_RESOLVER` must be `by_domain`, and only verified domains are served."""

    name = models.CharField(max_length=253, unique=True, validators=[RegexValidator(rf"^{NAME}\Z")])
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="domains")
    #: Whether you have made sure that the tenant owns it, for example by a TXT record in its DNS.
    is_verified = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if f".{self.name}".endswith(f".{settings.SITE_DOMAIN}"):
            raise ValidationError({"name": f"Hosts in {settings.SITE_DOMAIN} belong to this site."})


class Membership(models.Model):
    """Lets a user log in at a tenant's host. Elsewhere `databases.tenants.members` treats the user as anonymous."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    #: For your own rules: nothing in the layer depends on it.
    role = models.CharField(max_length=50, default="member")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="one_membership_per_user_and_tenant")]

    def __str__(self) -> str:
        return f"{self.user} at {self.tenant}: {self.role}"


def membership_of(user: Any) -> Membership | None:
    """Return the membership of a user in the current tenant, or `None`. Raises `NoTenantError` without a tenant."""
    # Not from a replica: a user who was removed would stay logged in while it lags.
    memberships = Membership.objects.using(DEFAULT_DB_ALIAS)
    return memberships.filter(user=user.pk, tenant__slug=current_tenant().slug).first()
