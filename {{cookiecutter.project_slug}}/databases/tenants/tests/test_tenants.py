"""Each tenant has its own database, and every query without a current tenant is refused."""

from django.db import connections
from django.test import SimpleTestCase, TestCase

from databases.tenants import CrossTenantError, NoTenantError, current_tenant, use_tenant
from databases.tenants.models import Tenant
from databases.tenants.router import TenantRouter
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    FIRST_ALIAS,
    SECOND,
    SECOND_ALIAS,
    add_a_point_each,
    marker,
)


class TenantDatabasesTests(TestCase):
    databases = DATABASES

    def test_the_table_is_in_each_tenants_database_and_not_in_the_primary(self):
        for alias, present in ((FIRST_ALIAS, True), (SECOND_ALIAS, True), ("default", False)):
            with self.subTest(alias):
                tables = connections[alias].introspection.table_names()
                self.assertEqual(DataPoint._meta.db_table in tables, present)

    def test_the_registry_is_in_the_primary_and_in_no_tenants_database(self):
        for alias, present in (("default", True), (FIRST_ALIAS, False), (SECOND_ALIAS, False)):
            with self.subTest(alias):
                tables = connections[alias].introspection.table_names()
                self.assertEqual(Tenant._meta.db_table in tables, present)

    def test_a_row_is_in_the_database_of_its_tenant(self):
        with use_tenant(FIRST):
            DataPoint.objects.create(name="cake", value=1)
            self.assertTrue(DataPoint.objects.filter(name="cake").exists())
        with use_tenant(SECOND):
            self.assertFalse(DataPoint.objects.filter(name="cake").exists())
        self.assertTrue(DataPoint.objects.using(FIRST_ALIAS).filter(name="cake").exists())

    def test_the_same_code_reads_the_current_tenants_rows(self):
        add_a_point_each()
        with use_tenant(FIRST):
            self.assertEqual(marker(), "cake")
        with use_tenant(SECOND):
            self.assertEqual(marker(), "orbit")


class NoTenantTests(TestCase):
    databases = DATABASES

    def test_every_query_is_refused_without_a_tenant(self):
        queries = {
            "iterate": lambda: list(DataPoint.objects.all()),
            "first": lambda: DataPoint.objects.first(),
            "in_bulk": lambda: DataPoint.objects.in_bulk([1]),
            "count": DataPoint.objects.count,
            "exists": DataPoint.objects.exists,
            "values": lambda: list(DataPoint.objects.values("name")),
            "aggregate": lambda: DataPoint.objects.aggregate(),
            "raw": lambda: list(DataPoint.objects.raw("SELECT * FROM layer_points_datapoint")),
            "create": lambda: DataPoint.objects.create(name="cake", value=1),
            "save": lambda: DataPoint(name="cake", value=1).save(),
            "get_or_create": lambda: DataPoint.objects.get_or_create(name="orbit", defaults={"value": 1}),
            "bulk_create": lambda: DataPoint.objects.bulk_create([DataPoint(name="cake", value=1)]),
            "update": lambda: DataPoint.objects.update(value=2),
            "delete": lambda: DataPoint.objects.filter(pk=1).delete(),
        }
        for name, query in queries.items():
            with self.subTest(name), self.assertRaises(NoTenantError):
                query()
            with self.subTest(f"{name}, with a tenant"), use_tenant(FIRST):
                query()

    async def test_async_queries_are_refused_without_a_tenant(self):
        with self.assertRaises(NoTenantError):
            await DataPoint.objects.aget(name="cake")
        with self.assertRaises(NoTenantError):
            await DataPoint.objects.acreate(name="cake", value=1)
        with self.assertRaises(NoTenantError):
            [point async for point in DataPoint.objects.all()]
        with use_tenant(FIRST):
            point = await DataPoint.objects.acreate(name="cake", value=1)
            self.assertEqual(await DataPoint.objects.aget(name="cake"), point)

    def test_the_error_is_a_lookup_error_that_says_what_to_do(self):
        with self.assertRaisesMessage(LookupError, "wrap the code in `with use_tenant(slug):`"):
            current_tenant()


class UseTenantTests(SimpleTestCase):
    def test_blocks_nest_and_restore_the_outer_tenant(self):
        with use_tenant(FIRST):
            with use_tenant(SECOND, switch=True):
                self.assertEqual(current_tenant().slug, SECOND)
            self.assertEqual(current_tenant().slug, FIRST)
        self.assertRaises(NoTenantError, current_tenant)

    def test_another_tenant_inside_a_tenant_needs_switch(self):
        with use_tenant(FIRST):
            with self.assertRaisesMessage(CrossTenantError, "switch=True"), use_tenant(SECOND):
                self.fail("entered another tenant")
            with self.assertRaises(CrossTenantError):
                use_tenant(SECOND)(current_tenant)()
            with use_tenant(FIRST):
                self.assertEqual(current_tenant().slug, FIRST)
            self.assertEqual(current_tenant().slug, FIRST)

    def test_an_exception_restores_the_outer_tenant(self):
        with use_tenant(FIRST):
            with self.assertRaises(ZeroDivisionError), use_tenant(SECOND, switch=True):
                1 / 0  # noqa: B018
            self.assertEqual(current_tenant().slug, FIRST)

    def test_it_decorates_functions(self):
        self.assertEqual(use_tenant(SECOND)(current_tenant)().slug, SECOND)
        self.assertRaises(NoTenantError, current_tenant)

    async def test_it_decorates_coroutine_functions(self):
        @use_tenant(SECOND, switch=True)
        async def slug() -> str:
            return current_tenant().slug

        with use_tenant(FIRST):
            self.assertEqual(await slug(), SECOND)
            self.assertEqual(current_tenant().slug, FIRST)

    async def test_async_blocks_follow_the_same_rules(self):
        async with use_tenant(FIRST):
            async with use_tenant(SECOND, switch=True) as tenant:
                self.assertIs(current_tenant(), tenant)
            self.assertEqual(current_tenant().slug, FIRST)
            with self.assertRaisesMessage(CrossTenantError, "switch=True"):
                await use_tenant(SECOND).__aenter__()
            block = use_tenant(FIRST)
            async with block:
                with self.assertRaisesMessage(RuntimeError, "make a new one"):
                    await block.__aenter__()
        self.assertRaises(NoTenantError, current_tenant)

    def test_it_refuses_to_decorate_generators(self):
        def points():
            yield current_tenant()

        async def apoints():
            yield current_tenant()

        for function in (points, apoints):
            with self.assertRaisesMessage(TypeError, "put the `with` inside it"):
                use_tenant(FIRST)(function)

    def test_one_object_serves_one_block_at_a_time(self):
        block = use_tenant(FIRST)
        with block, self.assertRaisesMessage(RuntimeError, "make a new one"), block:
            self.fail("entered twice")
        with block:
            self.assertEqual(current_tenant().slug, FIRST)
        self.assertRaises(NoTenantError, current_tenant)

    def test_a_generator_that_yields_inside_a_block_is_an_error(self):
        def careless():
            with use_tenant(SECOND, switch=True):
                yield

        generator = careless()
        with self.assertRaisesMessage(RuntimeError, "do not yield inside it"), use_tenant(FIRST):
            next(generator)
        self.assertRaises(NoTenantError, current_tenant)
        generator.close()
        self.assertRaises(NoTenantError, current_tenant)

    def test_invalid_slugs_are_refused(self):
        for slug in (
            "",
            "Acme",
            "1acme",
            "-acme",
            "acme'--",
            'a"b',
            "a;b",
            "a b",
            "a.b",
            "a/b",
            "acme\n",
            "ä",
            "a" * 42,
        ):
            with self.subTest(slug), self.assertRaisesMessage(ValueError, "cannot be a tenant's slug"):
                use_tenant(slug)
        use_tenant("a" * 41)


class TenantRouterTests(SimpleTestCase):
    def test_tables_are_made_in_the_database_of_their_app(self):
        table = [
            (FIRST_ALIAS, "layer_points", {}, True),
            (FIRST_ALIAS, "layer_points", {"model_name": "renamed_long_ago"}, True),
            (FIRST_ALIAS, "layer_points", {"database": "tenant"}, True),
            (FIRST_ALIAS, "layer_points", {"database": FIRST_ALIAS}, True),
            (FIRST_ALIAS, "layer_points", {"database": SECOND_ALIAS}, False),
            (FIRST_ALIAS, "layer_points", {"database": "primary"}, False),
            (FIRST_ALIAS, "layer_notebook", {}, False),
            (FIRST_ALIAS, "layer_notebook", {"database": "tenant"}, False),
            (FIRST_ALIAS, "auth", {}, False),
            (FIRST_ALIAS, "tenants", {}, False),
            (FIRST_ALIAS, "removed_app", {}, False),
            ("default", "layer_points", {}, False),
            ("default", "layer_points", {"database": "default"}, False),
            ("default", "layer_notebook", {}, None),
        ]
        for alias, app, hints, expected in table:
            with self.subTest(alias=alias, app=app, hints=hints):
                self.assertIs(TenantRouter().allow_migrate(alias, app, **hints), expected)

    def test_other_models_are_left_to_the_next_router(self):
        self.assertIsNone(TenantRouter().db_for_read(Tenant))
        self.assertIsNone(TenantRouter().db_for_write(Tenant))
        self.assertIsNone(TenantRouter().allow_relation(Tenant(), Tenant()))

    def test_a_relation_is_allowed_inside_one_tenant_only(self):
        ours, theirs, central = DataPoint(), DataPoint(), Tenant()
        ours._state.db, theirs._state.db, central._state.db = FIRST_ALIAS, SECOND_ALIAS, "default"
        self.assertIs(TenantRouter().allow_relation(ours, ours), True)
        self.assertIs(TenantRouter().allow_relation(ours, theirs), False)
        self.assertIs(TenantRouter().allow_relation(ours, central), False)
        self.assertIs(TenantRouter().allow_relation(ours, Tenant()), False)
