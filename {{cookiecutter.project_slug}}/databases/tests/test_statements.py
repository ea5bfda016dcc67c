"""What a statement does: rows that change are found wherever they hide, and reads are never taken for writes."""

from django.test import SimpleTestCase

from databases.statements import changes_rows, only_reads, text_of

CHANGES = [
    "INSERT INTO a VALUES (1)",
    "  insert into a",
    "/* a comment */ UPDATE a SET b = 1",
    "-- a comment\nDELETE FROM a",
    "(UPDATE a SET b = 1)",
    "WITH x AS (SELECT 1) UPDATE a SET b = 1",
    "WITH RECURSIVE x(a) AS (SELECT 1), y AS (SELECT (2)) INSERT INTO a SELECT * FROM x",
    "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
    "WITH x AS MATERIALIZED (INSERT INTO a VALUES (1) RETURNING 1) SELECT 1",
    "EXPLAIN ANALYZE UPDATE a SET b = 1",
    "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM a",
    "EXPLAIN ANALYSE VERBOSE DELETE FROM a",
    "ANALYZE UPDATE a SET b = 1",
    "SELECT 1; UPDATE a SET b = 1",
    "SELECT * INTO b FROM a",
    "REPLACE INTO a VALUES (1)",
    "REPLACE a VALUES (1)",
    "INSERT a VALUES (1)",
    "MERGE INTO a USING b",
    "truncate table a",
    "/*!40000 UPDATE a SET b = 1 */",
    "/*M!40000 UPDATE a SET b = 1 */",
    r"SELECT '\'; DELETE FROM a; SELECT '1'",
    "SELECT 1 # it's\n; DELETE FROM a; SELECT 'x'",
    "SELECT 1--1; DELETE FROM a",
    "EXPLAIN ANALYZE EXECUTE a",
]
READS = [
    "",
    "SELECT 1",
    "SELECT 1;",
    "(SELECT 1) UNION (SELECT 2)",
    "VALUES (1)",
    "TABLE a",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH 10 FROM c",
    "MOVE 10 FROM c",
    "CLOSE c",
    "DESCRIBE a",
    "DESC a",
    "SELECT 1 INTO @x",
    "SELECT 'it''s; DELETE FROM a'",
    r"SELECT '; DELETE FROM a \' '",
    'SELECT "a""; DELETE FROM a"',
    "SELECT 1 /* ;\nDELETE FROM a */",
    "SELECT '\n; DELETE FROM a'",
    "SELECT\n1",
    "select 1",
    "SELECT replace(a, 'x', 'y') FROM b",
    "SELECT (INSERT(a, 1, 2, 'x'))",
    "SELECT 'INSERT INTO a' FROM b",
    """SELECT "update" FROM b WHERE x = '; DELETE FROM a'""",
    "SELECT `x; DELETE FROM a` FROM b",
    "SELECT $tag$; UPDATE a $tag$",
    "SELECT 1 -- ; UPDATE a",
    "/*My comment*/ SELECT 1",
    "SELECT a #> '{b}' FROM c",
    "SELECT * FROM a WHERE id IN (SELECT b FROM c) FOR NO KEY UPDATE",
    "WITH x AS (SELECT last_update FROM a) SELECT x.* FROM x WHERE (update_count > 1) FOR UPDATE",
    "EXPLAIN UPDATE a SET b = 1",
    "SHOW x",
    "SET x = 1",
    "RESET x",
    "SAVEPOINT a",
    "RELEASE SAVEPOINT a",
    "ROLLBACK TO SAVEPOINT a",
    "COMMIT",
    "BEGIN",
    "START TRANSACTION",
    "PRAGMA foreign_keys",
]
#: They change no rows by their own words, and may change anything.
OTHERS = [
    "CREATE TABLE a (b int)",
    "EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1",
    "CALL f()",
    "DO $$ x $$",
    "LOCK TABLE a",
    "PREPARE a AS SELECT 1",
    "SELECT 1; CALL f()",
]


class StatementTests(SimpleTestCase):
    def test_changes_of_rows_are_found(self):
        for sql in CHANGES:
            with self.subTest(sql):
                self.assertTrue(changes_rows(sql))
                self.assertFalse(only_reads(sql))

    def test_reads_are_not_taken_for_changes(self):
        for sql in READS:
            with self.subTest(sql):
                self.assertFalse(changes_rows(sql))
                self.assertTrue(only_reads(sql))

    def test_other_statements_do_not_only_read(self):
        for sql in OTHERS:
            with self.subTest(sql):
                self.assertFalse(changes_rows(sql))
                self.assertFalse(only_reads(sql))

    def test_the_text_of_a_statement_is_its_sql(self):
        class Composed:
            def as_string(self, context: object) -> str:
                return "UPDATE a"

        self.assertEqual(text_of(Composed()), "UPDATE a")
        self.assertEqual(text_of(b"UPDATE a"), "UPDATE a")
        self.assertEqual(text_of("UPDATE a"), "UPDATE a")
