"""Files of one tenant cannot be reached under another one, nor without one."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, default_storage
from django.db import models
from django.test import SimpleTestCase, override_settings
from django.test.utils import isolate_apps

from databases.tenants import use_tenant
from databases.tenants.storage import TenantFileSystemStorage, TenantStorage
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import FIRST, SECOND

OURS, THEIRS = f"tenants/{FIRST}", f"tenants/{SECOND}"


class Bucket(Storage):
    """Keeps files in a dict. Like storages of services, it has no paths and looks at no name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def _open(self, name: str, mode: str = "rb") -> ContentFile:
        return ContentFile(self.files[name], name)

    def _save(self, name: str, content: File) -> str:
        self.files[name] = b"".join(chunk.encode() if isinstance(chunk, str) else chunk for chunk in content.chunks())
        return name

    def delete(self, name: str) -> None:
        del self.files[name]

    def exists(self, name: str) -> bool:
        return name in self.files

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return [], [name.removeprefix(f"{path}/") for name in self.files if name.startswith(f"{path}/")]

    def size(self, name: str) -> int:
        return len(self.files[name])

    def url(self, name: str | None) -> str:
        return f"/media/{name}"


class TenantBucket(TenantStorage, Bucket):
    pass


class OneNameBucket(TenantBucket):
    """Gives all files one name, as an own `get_available_name` may."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return "the.txt"


def folder(document: models.Model, filename: str) -> str:
    """An `upload_to` that returns the name as it was given, with folders."""
    return filename


@own_site
class StorageTestCase(SimpleTestCase):
    def setUp(self):
        media = tempfile.TemporaryDirectory()
        self.addCleanup(media.cleanup)
        self.media = Path(media.name)
        settings = override_settings(MEDIA_ROOT=media.name)
        settings.enable()
        self.addCleanup(settings.disable)

    def storages(self) -> Iterator[Storage]:
        """Yield storages of two kinds, each with a file `name.txt` of each owner."""
        for storage in (default_storage, TenantBucket()):
            for slug in (FIRST, SECOND):
                with use_tenant(slug):
                    storage.save("name.txt", ContentFile(slug))
            storage.save("name.txt", ContentFile("central"))
            with self.subTest(storage):
                yield storage

    def refuse(self, use: Callable[[str], object], name: str) -> None:
        """Fail if `use` does not refuse the name, under the first tenant."""
        with self.subTest(name=name, use=use), use_tenant(FIRST):
            with self.assertRaises(SuspiciousFileOperation) as raised:
                use(name)
            self.assertIn(f"begin with {OURS}/", str(raised.exception))


class NameTests(StorageTestCase):
    def test_a_stored_name_begins_with_its_tenant(self):
        with use_tenant(FIRST):
            self.assertEqual(default_storage.save("a.txt", ContentFile("cake")), f"{OURS}/a.txt")
            self.assertEqual(default_storage.save("x\\b.txt", ContentFile("cake")), f"{OURS}/x/b.txt")
        self.assertEqual(default_storage.save(None, ContentFile("cake", "a.txt")), "central/a.txt")
        self.assertEqual((self.media / OURS / "a.txt").read_text(), "cake")
        self.assertEqual((self.media / "central" / "a.txt").read_text(), "cake")

    def test_a_name_that_has_its_tenant_already_stays(self):
        with use_tenant(FIRST):
            name = default_storage.save(f"{OURS}/a.txt", ContentFile("cake"))
            self.assertEqual(name, f"{OURS}/a.txt")
            self.assertEqual(default_storage.get_available_name("b.txt"), f"{OURS}/b.txt")
            again = default_storage.save("a.txt", ContentFile("cake"))
        self.assertRegex(again, rf"^{OURS}/a_\w+\.txt$")

    def test_a_new_file_may_have_the_name_of_a_folder(self):
        with use_tenant(FIRST):
            for name in ("central", "tenants", "other/a.txt"):
                self.assertEqual(default_storage.save(name, ContentFile("cake")), f"{OURS}/{name}")
        self.assertEqual(default_storage.save("central", ContentFile("cake")), "central/central")
        self.assertEqual(default_storage.save("tenants/a.txt", ContentFile("cake")), "central/tenants/a.txt")

    def test_each_owner_uses_its_own_file(self):
        for storage in self.storages():
            for slug in (FIRST, SECOND):
                name = f"tenants/{slug}/name.txt"
                with use_tenant(slug):
                    with storage.open(name) as file:
                        self.assertEqual(file.read().decode(), slug)
                    self.assertEqual(storage.listdir(""), ([], ["name.txt"]))
                    self.assertEqual(storage.url(name), f"/media/{name}")
                    self.assertEqual(storage.size(name), len(slug))
                    storage.delete(name)
                    self.assertFalse(storage.exists(name))
            self.assertEqual(storage.listdir(""), ([], ["name.txt"]))
            self.assertEqual(storage.url("central/name.txt"), "/media/central/name.txt")

    def test_urls_have_no_dot_segments_and_backslashes(self):
        for storage in self.storages():
            for name in (f"{OURS}/./x/../a.txt", f"{OURS}//a.txt", OURS.replace("/", "\\") + "\\a.txt"):
                with use_tenant(FIRST):
                    self.assertEqual(storage.url(name), f"/media/{OURS}/a.txt")

    def test_a_storage_that_overwrites_overwrites_its_owners_file_only(self):
        storage = TenantFileSystemStorage(allow_overwrite=True)
        for text in ("cake", "more cake"):
            with use_tenant(FIRST):
                self.assertEqual(storage.save("a.txt", ContentFile(text)), f"{OURS}/a.txt")
            with use_tenant(SECOND):
                storage.save("a.txt", ContentFile("orbit"))
        self.assertEqual((self.media / OURS / "a.txt").read_text(), "more cake")


class RefusalTests(StorageTestCase):
    NAMES = (
        f"{THEIRS}/name.txt",
        "central/name.txt",
        f"{OURS}/../{SECOND}/name.txt",
        f"{OURS}/..\\{SECOND}\\name.txt",
        f"./{THEIRS}/name.txt",
        f"{OURS}-2/name.txt",
    )
    #: A new file may have these names: it is saved in its tenant's folder.
    NOBODYS = ("name.txt", "", "tenants/name.txt", "other/name.txt")
    OUTSIDE = ("..", "../name.txt", "/etc/passwd", f"/{OURS}/name.txt", f"{OURS}/../../name.txt")

    def test_every_method_refuses_names_of_other_owners_and_of_none(self):
        for storage in self.storages():
            methods = {name for name in vars(Storage) if not name.startswith("_")}
            methods -= {"save", "get_available_name", "is_name_available", "listdir"}
            # They make names and reach no file.
            methods -= {"get_valid_name", "get_alternative_name", "generate_filename"}
            for method in sorted(methods):
                for name in (*self.NAMES, *self.NOBODYS, *self.OUTSIDE):
                    self.refuse(getattr(storage, method), name)
            for name in (*self.NAMES, *self.NOBODYS, *self.OUTSIDE):
                if name:
                    self.refuse(storage.listdir, name)

    def test_no_file_is_saved_under_the_name_of_another_owner(self):
        for storage in self.storages():
            for name in (*self.NAMES[:2], self.NAMES[4]):
                self.refuse(functools.partial(storage.save, content=ContentFile("cake")), name)
                self.refuse(storage.get_available_name, name)
            for name in (*self.NAMES[2:4], *self.OUTSIDE):
                with self.subTest(name=name), use_tenant(FIRST):
                    self.assertRaises(SuspiciousFileOperation, storage.save, name, ContentFile("cake"))
            with use_tenant(SECOND), storage.open(f"{THEIRS}/name.txt") as file:
                self.assertEqual(file.read().decode(), SECOND)

    def test_the_central_site_reaches_no_file_of_a_tenant(self):
        for storage in self.storages():
            for use in (storage.open, storage.exists, storage.url, storage.delete):
                with self.assertRaisesMessage(SuspiciousFileOperation, "does not belong to the central site"):
                    use(f"{OURS}/name.txt")

    def test_an_available_name_without_the_tenant_is_refused(self):
        self.refuse(lambda name: OneNameBucket().save(name, ContentFile("cake")), "a.txt")


class FieldTests(StorageTestCase):
    @isolate_apps("databases.tenants.tests.points")
    def document(self, **options: object) -> models.Model:
        """Return a new row, of a model whose field for files has these options."""

        class Document(models.Model):
            file = models.FileField(**options)

            class Meta:
                app_label = "layer_points"

            def __str__(self) -> str:
                return self.file.name

        return Document()

    def saved(self, name: str = "a.txt", **options: object) -> models.Model:
        """Return a row of the first tenant with a file."""
        document = self.document(**options)
        with use_tenant(FIRST):
            document.file.save(name, ContentFile("cake"), save=False)
        return document

    def test_the_row_holds_the_name_with_its_tenant(self):
        document = self.saved(upload_to="notes")
        self.assertEqual(document.file.name, f"{OURS}/notes/a.txt")
        self.assertEqual(document._meta.get_field("file").get_prep_value(document.file), f"{OURS}/notes/a.txt")
        with use_tenant(FIRST), document.file.open() as file:
            self.assertEqual(file.read(), b"cake")

    def test_a_files_name_is_cut_to_the_fields_length_with_its_tenant(self):
        document = self.saved("x" * 80 + ".txt", max_length=60)
        self.assertEqual(len(document.file.name), 60)
        self.assertTrue(document.file.name.startswith(f"{OURS}/xxx"))

    def test_upload_to_may_return_the_tenants_folder_and_no_other(self):
        self.assertEqual(self.saved(f"{OURS}/x/a.txt", upload_to=folder).file.name, f"{OURS}/x/a.txt")
        self.assertEqual(self.saved("x/b.txt", upload_to=folder).file.name, f"{OURS}/x/b.txt")
        for name in (f"{THEIRS}/a.txt", "central/a.txt", "../a.txt"):
            self.assertRaises(SuspiciousFileOperation, self.saved, name, upload_to=folder)

    def test_a_loaded_file_is_refused_elsewhere(self):
        document = self.saved()
        for use in ("open", "delete", "path", "url", "size", "read"):
            for slug in (SECOND, None):
                with self.subTest(use=use, slug=slug), self.assertRaises(SuspiciousFileOperation):
                    self.use(document.file, use, slug)
        self.assertEqual((self.media / OURS / "a.txt").read_text(), "cake")

    def test_a_file_that_was_opened_and_closed_is_not_opened_again_elsewhere(self):
        document = self.saved()
        with use_tenant(FIRST):
            for _ in range(2):
                with document.file.open() as file:
                    self.assertEqual(file.read(), b"cake")
        for slug in (SECOND, None):
            self.assertRaises(SuspiciousFileOperation, self.use, document.file, "open", slug)

    def use(self, file: models.fields.files.FieldFile, use: str, slug: str | None) -> object:
        if slug is None:
            value = getattr(file, use)
            return value() if callable(value) else value
        with use_tenant(slug):
            return self.use(file, use, None)
