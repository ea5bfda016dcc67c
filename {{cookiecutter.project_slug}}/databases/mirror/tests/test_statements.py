"""Statements are sent to the mirror, or not, by their text. Other tests show what read-only sessions refuse."""

from django.test import SimpleTestCase

from databases.mirror.statements import only_reads, summary

READ = [
    "SELECT 1",
    "  select name from layer_people_organisation where name like %s",
    "(SELECT 1) UNION (SELECT 2)",
    "-- who\nSELECT 1",
    "/* who */ SELECT 1 -- why",
    "SELECT 1; SELECT 2;",
    "WITH one AS (SELECT 1) SELECT * FROM one",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "PRAGMA table_info('layer_people_organisation')",
    "PRAGMA encoding",
    'SELECT updated_at, "for", share FROM updates',
    # From Django's transactions and new connections, and from this project's guard.
    "BEGIN",
    'SAVEPOINT "s1_x1"',
    "ROLLBACK TO SAVEPOINT `s1_x1`",
    "RELEASE SAVEPOINT s1",
    "SET SQL_AUTO_IS_NULL = 0; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET default_transaction_read_only = on",
    "SET SESSION TRANSACTION READ ONLY",
    "PRAGMA query_only = ON",
    "SET LOCAL statement_timeout = '2s'",
    "SET SESSION max_statement_time = 2",
    "SET TIME ZONE 'UTC'",
]
NOT_READ = [
    "INSERT INTO a VALUES (1)",
    "insert into a values (1)",
    "/* SELECT */ INSERT INTO a VALUES (1)",
    "/* a */ INSERT INTO a VALUES (1) /* b */ SELECT",
    "/* /* */ SELECT */ INSERT INTO a VALUES (1)",
    "-- SELECT\nINSERT INTO a VALUES (1)",
    "SELECT 1; DELETE FROM a",
    "SELECT ';'; DELETE FROM a",
    "/*! DELETE FROM a */",
    "/*M! DELETE FROM a */ SELECT 1",
    "SELECT 1 FROM a FOR UPDATE",
    "SELECT 1 FROM a\nfor\tno key  update SKIP LOCKED",
    "SELECT 1 FROM a LOCK IN SHARE MODE",
    "SELECT 1 INTO OUTFILE '/tmp/a'",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "BEGIN READ WRITE",
    "BEGIN IMMEDIATE",
    "START TRANSACTION READ WRITE",
    "SET TRANSACTION READ WRITE",
    "SET TRANSACTION READ/**/WRITE",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ WRITE",
    "SET default_transaction_read_only = off",
    "SET lock_wait_timeout = 1, tx_read_only = 0",
    "SET STATEMENT max_statement_time=1 FOR DELETE FROM a",
    'SET U&"default\\005ftransaction_read_only" = off',
    "SET ROLE owner",
    "RESET ALL",
    "DISCARD ALL",
    "PRAGMA query_only = OFF",
    "PRAGMA query_only(0)",
    "PRAGMA user_version = 7",
    "DETACH DATABASE a",
    "PREPARE a AS DELETE FROM a",
    "EXECUTE a",
    "CALL a()",
    "DO $$ BEGIN END $$",
    "COPY a FROM STDIN",
    "LOCK TABLE a",
    "VACUUM",
    "NOTIFY a",
    "SQL('SELECT 1')",
]


class OnlyReadsTests(SimpleTestCase):
    def test_reading_statements_are_sent(self):
        for sql in READ:
            with self.subTest(sql):
                self.assertTrue(only_reads(sql))

    def test_other_statements_are_not_sent(self):
        for sql in NOT_READ:
            with self.subTest(sql):
                self.assertFalse(only_reads(sql))


class SummaryTests(SimpleTestCase):
    def test_a_summary_ends_before_anything_that_may_be_a_value(self):
        for sql, words in {
            "INSERT INTO a (b) VALUES ('secret')": "INSERT INTO a",
            '/* secret */ update "a" SET b = 1': 'update "a" SET',
            "DELETE FROM a WHERE b = 'secret'": "DELETE FROM a",
            "SELECT 'secret'": "SELECT",
            "-- secret\n(SELECT 1)": "SELECT 1",
            "'secret'": "SQL",
            "/*! SET secret */": "SQL",
        }.items():
            with self.subTest(sql):
                self.assertEqual(summary(sql), words)
