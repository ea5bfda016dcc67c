"""File storages that keep tenants apart: the name of a file begins with the tenant that saved it."""

from __future__ import annotations

import posixpath
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage
from django.core.files.utils import validate_file_name

from databases.tenants.context import slug_or_none

TENANTS, CENTRAL = "tenants", "central"


def own_name(name: str | None) -> str:
    """Return the name without dot segments and backslashes.

    Raises `SuspiciousFileOperation` if the name is not in the folder of the current tenant: `tenants/<slug>/`, or
    `central/` without a tenant.
    """
    folder = _folder()
    normal = posixpath.normpath(str(name).replace("\\", "/"))
    if f"{normal}/".startswith(f"{folder}/"):
        return normal
    owner = f"the tenant {str(slug_or_none())!r}" if slug_or_none() else "the central site"
    raise SuspiciousFileOperation(
        f"The file {name!r} does not belong to {owner}, whose files have names that begin with {folder}/: use it under "
        "the tenant that saved it."
    )


class TenantStorage(Storage):
    """Makes the storage behind it keep files apart: `class OwnStorage(TenantStorage, S3Storage)`.

    A saved name begins with the folder of the current tenant. All methods raise `SuspiciousFileOperation` for names
    that begin otherwise.
    """

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        return super().save(_new_name(content.name if name is None else name), content, max_length)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return super().get_available_name(_new_name(name), max_length)

    def _save(self, name: str, content: File[Any]) -> str:
        # A get_available_name() of a subclass may have returned any name.
        saved: str = super()._save(own_name(name), content)  # type: ignore[misc]
        return saved

    def open(self, name: str, mode: str = "rb") -> File[Any]:
        return super().open(own_name(name), mode)

    def delete(self, name: str) -> None:
        super().delete(own_name(name))

    def exists(self, name: str) -> bool:
        return super().exists(own_name(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """List a folder; `""` is the folder of the current tenant."""
        return super().listdir(own_name(path or _folder()))

    def path(self, name: str) -> str:
        return super().path(own_name(name))

    def size(self, name: str) -> int:
        return super().size(own_name(name))

    def url(self, name: str | None) -> str:
        return super().url(own_name(name))

    def get_accessed_time(self, name: str) -> datetime:
        return super().get_accessed_time(own_name(name))

    def get_created_time(self, name: str) -> datetime:
        return super().get_created_time(own_name(name))

    def get_modified_time(self, name: str) -> datetime:
        return super().get_modified_time(own_name(name))


class TenantFileSystemStorage(TenantStorage, FileSystemStorage):
    """Keeps files in `MEDIA_ROOT/tenants/<slug>/`, or in `MEDIA_ROOT/central/` without a tenant."""

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        return _OwnFile(Path(self.path(name)).open(mode), stored_as=name)


class _OwnFile(File):
    """A file that only its owner opens again: `FieldFile.open()` opens a closed file by its path."""

    def __init__(self, file: IO[Any], stored_as: str) -> None:
        super().__init__(file)
        self.stored_as = stored_as

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> _OwnFile:
        own_name(self.stored_as)
        super().open(mode, *args, **kwargs)
        return self


def _folder() -> str:
    tenant = slug_or_none()
    return CENTRAL if tenant is None else f"{TENANTS}/{tenant}"


def _new_name(name: str | None) -> str:
    """Return the name for a new file: in the current tenant's folder, unless it says that it is in another one."""
    name = str(validate_file_name(str(name), allow_relative_path=True)).replace("\\", "/")
    first, *others = PurePosixPath(name).parts
    has_owner = (first == CENTRAL and len(others) > 0) or (first == TENANTS and len(others) > 1)
    return own_name(name if has_owner else f"{_folder()}/{name}")
