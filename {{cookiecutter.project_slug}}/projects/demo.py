"""What `manage.py demo` writes to each tenant: other rows for each."""

from databases.tenants import use_tenant

from .models import DataPoint

POINTS = {
    "aperture-science-labs": {"portals opened": 42, "slices of cake": 0, "test subjects": 10000},
    "vavatch-corp-campus": {"ships docked": 7, "days to demolition": 3, "mad mind": 1},
}


def build() -> str:
    """Add the data points that are missing."""
    for slug, points in POINTS.items():
        with use_tenant(slug):
            for name, value in points.items():
                if not DataPoint.objects.filter(name=name).exists():
                    DataPoint.objects.create(name=name, value=value)
    return f"tenants: {len(POINTS)} with rows of their own"
