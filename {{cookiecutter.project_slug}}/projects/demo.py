"""What `manage.py demo` writes to each tenant: different rows."""

from django.conf import settings
from django.contrib.auth import get_user_model

from databases.tenants import use_tenant
from databases.tenants.models import Membership, Tenant
from notes.demo import USER

from .models import DataPoint

POINTS = {
    "aperture-science-labs": {"portals opened": 42, "slices of cake": 0, "test subjects": 10000},
    "vavatch-corp-campus": {"ships docked": 7, "days to demolition": 3, "mad mind": 1},
}


def links(port: int) -> dict[str, str]:
    """Return the addresses of some tenants."""
    tenants = Tenant.objects.filter(status=Tenant.Status.ACTIVE)[:5]
    return {f"{tenant.host}.{settings.SITE_DOMAIN}:{port}/": "a tenant" for tenant in tenants}


def build() -> str:
    """Add the data points that are missing, and make the demo user a member."""
    user = get_user_model().objects.get(username=USER)
    for slug, points in POINTS.items():
        Membership.objects.get_or_create(user=user, tenant=Tenant.objects.get(slug=slug))
        with use_tenant(slug):
            for name, value in points.items():
                if not DataPoint.objects.filter(name=name).exists():
                    DataPoint.objects.create(name=name, value=value)
    return f"tenants: {len(POINTS)} with different rows"
