"""The rights of the mirror's user on PostgreSQL, as the server tells them."""

from django.db import connections, transaction
from django.test import TestCase

from databases.mirror import privileges


class PostgresqlTests(TestCase):
    """Asks for the rights of a role that the tests make, in a transaction."""

    databases = {"mirror"}
    TABLE = "layer_people_member"

    def setUp(self):
        if connections["mirror"].vendor != "postgresql":
            self.skipTest("These are PostgreSQL's rights.")
        (may,) = self.send("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")[0]
        if not may:
            self.skipTest("The user of the tests may not create roles.")
        self.send('CREATE ROLE "layer Reader"')
        self.send('CREATE ROLE "layer Group"')
        self.send('GRANT "layer Group" TO "layer Reader"')
        # This writes out what PUBLIC may do by default: CONNECT and TEMPORARY.
        ((self.database,),) = self.send("SELECT quote_ident(current_database())")
        self.send(f'GRANT CONNECT ON DATABASE {self.database} TO "layer Reader"')
        self.send(f'GRANT SELECT ON {self.TABLE} TO "layer Reader", "layer Group", PUBLIC')

    def send(self, *statements: str) -> list:
        with connections["mirror"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def rights(self) -> list[tuple[str, str]]:
        found = self.send(privileges.POSTGRESQL.replace("session_user", "'layer Reader'"))
        return [row for row in found if ".lo_" not in row[0]]

    def test_a_role_that_reads_has_no_other_right(self):
        self.send("CREATE FUNCTION layer() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN END'")
        self.assertEqual(self.rights(), [])

    def test_each_right_is_named_with_the_statement_that_takes_it_away(self):
        for grants, words, cure in (
            (
                [f'GRANT UPDATE, INSERT ON {self.TABLE} TO "layer Reader"'],
                'INSERT, UPDATE ON TABLE public.layer_people_member as "layer Reader"',
                'REVOKE INSERT, UPDATE ON TABLE public.layer_people_member FROM "layer Reader"',
            ),
            (
                [f'GRANT UPDATE (name), INSERT (name) ON {self.TABLE} TO "layer Reader"'],
                'INSERT, UPDATE ON TABLE public.layer_people_member as "layer Reader"',
                'REVOKE INSERT, UPDATE ON TABLE public.layer_people_member FROM "layer Reader"',
            ),
            (
                [f"GRANT TRUNCATE ON {self.TABLE} TO PUBLIC"],
                "TRUNCATE ON TABLE public.layer_people_member as PUBLIC",
                "REVOKE TRUNCATE ON TABLE public.layer_people_member FROM PUBLIC",
            ),
            (
                ['CREATE SEQUENCE "s 1"', 'GRANT SELECT, USAGE ON SEQUENCE "s 1" TO "layer Reader"'],
                'USAGE ON SEQUENCE public."s 1" as "layer Reader"',
                'REVOKE USAGE ON SEQUENCE public."s 1" FROM "layer Reader"',
            ),
            (
                [f'GRANT CREATE ON DATABASE {self.database} TO "layer Group"'],
                f'CREATE ON DATABASE {self.database} as "layer Group"',
                'REVOKE "layer Group" FROM "layer Reader"',
            ),
            (
                ["CREATE SCHEMA layer", 'GRANT USAGE, CREATE ON SCHEMA layer TO "layer Group"'],
                'CREATE ON SCHEMA layer as "layer Group"',
                'REVOKE "layer Group" FROM "layer Reader"',
            ),
            (
                [
                    "CREATE ROLE layer_top",
                    'GRANT layer_top TO "layer Group"',
                    f"GRANT DELETE ON {self.TABLE} TO layer_top",
                ],
                "DELETE ON TABLE public.layer_people_member as layer_top",
                'REVOKE "layer Group" FROM "layer Reader"',
            ),
            (
                ["CREATE FUNCTION layer(a int) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"],
                "EXECUTE ON ROUTINE public.layer(a integer) as PUBLIC",
                "REVOKE EXECUTE ON ROUTINE public.layer(a integer) FROM PUBLIC",
            ),
            (
                [
                    'GRANT "layer Reader" TO CURRENT_USER',
                    'CREATE SCHEMA layer AUTHORIZATION "layer Reader"',
                    "GRANT USAGE ON SCHEMA layer TO PUBLIC",
                ],
                'ownership of schema layer as "layer Reader"',
                "ALTER schema layer OWNER TO CURRENT_USER",
            ),
            (
                ['ALTER ROLE "layer Reader" CREATEROLE'],
                'CREATEROLE as "layer Reader"',
                'ALTER ROLE "layer Reader" NOCREATEROLE',
            ),
        ):
            with self.subTest(words), transaction.atomic(using="mirror"):
                self.send(*grants)
                ((found, statement),) = self.rights()
                self.assertEqual(found, words)
                self.assertEqual(statement, cure)
                self.send(statement)
                self.assertEqual(self.rights(), [])
                transaction.set_rollback(True, using="mirror")

    def test_functions_that_write_large_objects_are_reported(self):
        found = self.send(privileges.POSTGRESQL.replace("session_user", "'layer Reader'"))
        ((words, statement),) = [row for row in found if ".lo_" in row[0]]
        self.assertIn("pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, ", words)
        self.assertRegex(statement, r"^REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat\(integer\), .+\) FROM PUBLIC$")
