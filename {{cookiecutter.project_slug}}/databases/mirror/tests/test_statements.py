"""Statements are sent to the mirror, or not, by their text. Other tests show what read-only sessions refuse."""

from unittest import mock

from django.test import SimpleTestCase

from databases.mirror import MirrorWriteError, session
from databases.mirror.session import only_reads
from databases.read_only import READ_ONLY

READ = [
    "",
    "SELECT 1",
    "  select name from layer_people_organisation where name like %s",
    "(SELECT 1) UNION (SELECT 2)",
    "SELECT 1; SELECT 2;",
    "VALUES (1)",
    "TABLE a",
    "WITH one AS (SELECT 1) SELECT * FROM one",
    'SELECT"name"FROM"a"',
    'SELECT updated_at, "for", share, creator_lo FROM updates',
    # Comments and values are blanks, in the way of any engine.
    "-- who\nSELECT 1",
    "-- it's who; me\r\nSELECT 1",
    "# who\nSELECT 1",
    "/* who\nme */ SELECT 'a\nb'",
    'SELECT a -- "who\n',
    "/* who; me */ SELECT 1 -- why: set_config\n",
    "SELECT/* */1 FROM a WHERE b = '/*' OR b = ';' OR b = 'for update' OR b = 'it''s -- set_config'",
    "SELECT 'it\\'s' -- set_config",
    "SELECT a #>> '{b}' FROM c",
    # From Django's transactions, sessions, introspection and `explain()`, and from this project.
    *READ_ONLY.values(),
    "BEGIN",
    'SAVEPOINT "s1_x1"',
    "ROLLBACK TO SAVEPOINT `s1_x1`",
    "RELEASE SAVEPOINT s1",
    "SET SQL_AUTO_IS_NULL = 0; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET LOCAL statement_timeout = '2s'",
    "SET SESSION max_statement_time = 2",
    "SET TIME ZONE 'UTC'",
    "SET time_zone = '+00:00'",
    "SHOW FULL TABLES",
    "DESCRIBE a",
    "desc a",
    "EXPLAIN (ANALYZE true) SELECT 1",
    "EXPLAIN QUERY PLAN SELECT 1",
    "ANALYZE SELECT 1",
    "ANALYZE FORMAT=JSON SELECT 1",
    'PRAGMA table_xinfo("layer_people_organisation")',
    "PRAGMA index_list('a')",
    'PRAGMA foreign_key_list("a")',
]
NOT_READ = [
    "INSERT INTO a VALUES (1)",
    "insert into a values (1)",
    "selection",
    "SELECT 1; DELETE FROM a",
    "SELECT ';'; DELETE FROM a",
    "SQL('SELECT 1')",
    # Comments are blanks.
    "/* SELECT */ INSERT INTO a VALUES (1)",
    "/* a */ INSERT INTO a VALUES (1) /* b */ SELECT",
    "/* /* */ SELECT */ INSERT INTO a VALUES (1)",
    "-- SELECT\nINSERT INTO a VALUES (1)",
    "-- a\rDELETE FROM a",
    "-- a\rSELECT 1\nDELETE FROM a",
    "# SELECT\nDELETE FROM a",
    "/*! DELETE FROM a */",
    "/*M! DELETE FROM a */ SELECT 1",
    "SELECT 1 /*! INTO OUTFILE 'a' */",
    "SELECT 1 INTO /*! OUTFILE '/tmp/a' */",
    "SELECT 1 INTO/**/OUTFILE '/tmp/a'",
    "SELECT 1 INTO -- a\nDUMPFILE '/tmp/a'",
    "SELECT 1 INTO # a\nOUTFILE '/tmp/a'",
    "SELECT 1 FROM a FOR/**/UPDATE",
    # Values are blanks, and hide nothing.
    "SELECT '--', 1 FROM a FOR UPDATE",
    "SELECT '/*', set_config('a', 'b', false), '*/'",
    "SELECT '\\', set_config(' || a",
    "SELECT '\\'', set_config('a', 'b', false)",
    """SELECT "'", set_config('a', 'b', false)""",
    """SELECT `'`, 1 FROM a FOR UPDATE -- '`""",
    'SELECT "\\"\'", 1 FROM a FOR UPDATE -- \'"',
    # What a read-only session allows.
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT pg_catalog.\"set_config\"('transaction_read_only', 'off', false)",
    "SELECT U&\"set\\005fconfig\"('transaction_read_only', 'off', false)",
    "SELECT 1 FROM a FOR UPDATE",
    "SELECT 1 FROM a FOR SHARE",
    "SELECT 1 FROM a FOR KEY SHARE",
    "SELECT 1 FROM a\nfor\tno key  update SKIP LOCKED",
    "SELECT 1 FROM a LOCK IN SHARE MODE",
    "TABLE a INTO OUTFILE '/tmp/a'",
    *(f"SELECT {name}(0)" for name in ("lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lowrite", "lo_unlink")),
    *(f"SELECT {name}(0)" for name in ("lo_import", "lo_export", "lo_truncate", "lo_truncate64")),
    "BEGIN READ WRITE",
    "BEGIN IMMEDIATE",
    "BEGIN NOT ATOMIC DELETE FROM a",
    "START TRANSACTION READ WRITE",
    "ROLLBACK PREPARED 'a'",
    "COMMIT",
    "EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1",
    "explain (analyze) create materialized view a as select 1",
    "EXPLAIN ANALYZE SELECT 1 INTO a",
    "SET TRANSACTION READ WRITE",
    "SET TRANSACTION READ/**/WRITE",
    "SET TRANSACTION READ ONLY, READ WRITE",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "SET default_transaction_read_only = on, off",
    "SET lock_wait_timeout = 1, tx_read_only = 0",
    "SET STATEMENT max_statement_time=1 FOR DELETE FROM a",
    'SET U&"default\\005ftransaction_read_only" = off',
    "SET ROLE owner",
    "RESET ALL",
    "DISCARD ALL",
    "PRAGMA query_only = OFF",
    "PRAGMA query_only(0)",
    "PRAGMA user_version = 7",
    "PRAGMA wal_checkpoint",
    "PRAGMA optimize",
    "ATTACH DATABASE 'a' AS b",
    "DETACH DATABASE a",
    "PREPARE a AS DELETE FROM a",
    "EXECUTE a",
    "CALL a()",
    "DO $$ BEGIN END $$",
    "COPY a FROM STDIN",
    "LOCK TABLE a",
    "ANALYZE a",
    "ANALYZE TABLE a",
    "ANALYZE UPDATE a SET b = 1",
    "VACUUM",
    "NOTIFY a",
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

    def test_a_bounded_number_of_decisions_is_kept(self):
        self.assertEqual(only_reads.cache_info().maxsize, 1000)


class RefusalTests(SimpleTestCase):
    @mock.patch.object(session, "only_reads", return_value=False)
    def test_a_refusal_shows_bare_words_and_nothing_that_may_be_a_value(self, only_reads):
        for sql, words in {
            "INSERT INTO a (b) VALUES ('secret')": "INSERT INTO a",
            'insert into "secret" values (1)': "insert into",
            '/* secret */ update "a" SET b = 1': "update",
            "/* secret /* a */ secret */ update a": "SQL",
            "DROP  TABLE\n a.b CASCADE": "DROP TABLE a.b",
            "SELECT 'secret'": "SELECT",
            "SELECT '\\' secret', 'secret'": "SELECT",
            "SELECT 4111111111111111 FROM a FOR UPDATE": "SELECT",
            "-- secret\n(SELECT a)": "SELECT a",
            "-- secret": "SQL",
            "-- secret\n'secret'": "SQL",
            "'secret'": "SQL",
            "/*! SET secret */": "SQL",
        }.items():
            with self.subTest(sql), self.assertRaisesMessage(MirrorWriteError, f"that read: {words} … That"):
                session._refuse_writes(mock.Mock(), sql, None, False, {})
