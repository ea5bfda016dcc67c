"""File storage with a folder per tenant."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from databases.tenants.context import tenant_or_none


class TenantFileSystemStorage(FileSystemStorage):
    """Keeps files in `MEDIA_ROOT/tenants/<slug>/`, or in `MEDIA_ROOT/central/` without a tenant.

    Django refuses names that lead out of this folder.
    """

    @property
    def base_location(self) -> str:
        return str(Path(settings.MEDIA_ROOT) / _folder())

    @property
    def location(self) -> str:
        return str(Path(self.base_location).absolute())

    def url(self, name: str | None) -> str:
        # path() refuses names that lead out of the folder; Django's url() does not.
        self.path(name or "")
        return super().url(name)

    @property
    def base_url(self) -> str:
        return f"{settings.MEDIA_URL}{_folder()}/"


def _folder() -> str:
    slug = tenant_or_none()
    return "central" if slug is None else f"tenants/{slug}"
