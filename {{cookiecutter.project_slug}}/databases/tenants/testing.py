"""Test cases for code on tenants' rows: name the tenants, and their hosts answer.

    class InvoiceTests(TenantTestCase):
        tenants = ("acme", "umbrella")

        def test_each_sees_its_own(self):
            with use_tenant("acme"):
                Invoice.objects.create(number=1)
                self.assertContains(self.client.get("/invoices/"), "1")

`TEST_TENANTS` in `databases.py` lists the tenants that tests have. Each test begins without a current tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, LiveServerTestCase, TestCase, TransactionTestCase, override_settings

from databases.tenants.context import alias_of, tenant_or_none
from databases.tenants.models import Tenant

if TYPE_CHECKING:
    Base = TransactionTestCase
else:
    Base = object


def host() -> str:
    """Return the host of the current tenant, or of the central site."""
    tenant = tenant_or_none()
    return str(settings.SITE_DOMAIN) if tenant is None else f"{tenant.host}.{settings.SITE_DOMAIN}"


class TenantClient(Client):
    """Sends requests to the host of the current tenant, unless a request names another host."""

    def request(self, **request: Any) -> Any:
        return super().request(**{"HTTP_HOST": host(), **request})


class TenantAsyncClient(AsyncClient):
    """The same for async tests."""

    async def request(self, **request: Any) -> Any:
        # Django sends `testserver` before the host that a test names.
        headers = [header for header in request["headers"] if header != (b"host", b"testserver")]
        named = any(name == b"host" for name, _ in headers)
        request["headers"] = headers if named else [*headers, (b"host", host().encode())]
        return await super().request(**request)


class TenantsOfTests(Base):
    """A mixin: the tests of a class may use its `tenants`, and find them in the registry."""

    tenants: ClassVar[tuple[str, ...]] = ()
    client_class: type[Client] = TenantClient
    async_client_class: type[AsyncClient] = TenantAsyncClient

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.databases = {"default", *map(alias_of, cls.tenants), *cls.databases}

    @classmethod
    def setUpClass(cls) -> None:
        for slug in cls.tenants:
            if settings.DATABASES.get(alias_of(slug)) is None:
                raise ImproperlyConfigured(
                    f"{cls.__name__} names the tenant {slug!r}: add it to TEST_TENANTS in databases.py."
                )
        super().setUpClass()
        cls.register_tenants()

    def setUp(self) -> None:
        super().setUp()
        # Again, because a TransactionTestCase empties the tables after each test.
        self.register_tenants()

    @classmethod
    def register_tenants(cls) -> None:
        for slug in cls.tenants:
            values = {"database": alias_of(slug), "status": Tenant.Status.ACTIVE}
            Tenant.objects.get_or_create(slug=slug, defaults=values)


class TenantTestCase(TenantsOfTests, TestCase):
    """Django's `TestCase`, with tenants."""


class TenantTransactionTestCase(TenantsOfTests, TransactionTestCase):
    """Django's `TransactionTestCase`, with tenants. A `setUp` of yours must call `super().setUp()`."""


@override_settings(SITE_DOMAIN="localhost", ALLOWED_HOSTS=[".localhost"])
class TenantLiveServerTestCase(TenantsOfTests, LiveServerTestCase):
    """Django's `LiveServerTestCase`, with tenants. Browsers find each host in `localhost` on this machine."""

    @property
    def site_url(self) -> str:
        """The address of the current tenant's site."""
        return f"http://{host()}:{self.server_thread.port}"
