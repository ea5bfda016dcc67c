"""A sample holds few rows, the first ones, and every row that their keys need. A fixture can be extended."""

import json
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connections
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from databases.mirror.disguise import Disguise, columns
from databases.mirror.seeds import Sample, foreign_keys, snapshot
from databases.mirror.tests.library.models import Collection, Material, Section, Subject
from databases.mirror.tests.people.models import Member, Organisation
from databases.mirror.tests.vault.case import CaptureTestCase, customer
from databases.mirror.tests.vault.models import Line, Login, Option, Order
from databases.tests import production

#: A date of each engine that its driver cannot read, and what is said of its row.
UNREADABLE = {
    "sqlite": ("2020-13-45", "ValueError while reading"),
    "postgresql": ("20000-01-01", "DataError while reading"),
    "mysql": ("0000-00-00", "born: null"),
}


class SampleTests(TestCase):
    databases = {"mirror"}

    def sample(self, *models: type, limit: int = 50, excluded: tuple[type, ...] = ()) -> Sample:
        """Return a sample after asserting its size, and that every foreign key has its target in it."""
        sample = Sample(limit, Disguise({}), {*excluded}, [])
        sample.take(models)
        self.records = sample.records()
        for model, rows in sample.rows.items():
            self.assertTrue(len(rows) <= limit or model._meta.auto_created, model)
            for row in rows.values():
                for key in foreign_keys(model):
                    self.assertIn(row[key.name], {None, *sample.rows[key.related_model]})
        return sample

    def test_the_first_rows_are_taken_with_all_that_they_refer_to(self):
        # Rows that need each other are taken together.
        Collection.objects.filter(pk=2).update(parent=1)
        sample = self.sample(Section)
        self.assertEqual(set(sample.rows[Section]), {1, 2, 3})
        self.assertEqual(set(sample.rows[Organisation]), {1, 2})
        self.assertEqual({pk: row["parent"] for pk, row in sample.rows[Collection].items()}, {1: 2, 2: 1})
        self.assertFalse(any(sample.left_out.values()))

    def test_rows_that_others_refer_to_go_before_the_first_rows_of_their_model(self):
        Organisation.objects.create(pk=3, name="x")
        Member.objects.update(organisation=3)
        sample = self.sample(Organisation, Member, limit=2)
        self.assertEqual(({*sample.rows[Member]}, {*sample.rows[Organisation]}), ({1, 2}, {1, 3}))

    def test_a_row_whose_parents_do_not_fit_is_left_out_with_all_that_need_it(self):
        sample = self.sample(Material, excluded=(Organisation,))
        self.assertFalse(sample.rows[Material] or sample.rows[Collection])
        self.assertEqual(set(sample.left_out[Material].values()), {"a row that it refers to is not there"})

    def test_a_key_that_may_be_null_is_cut_where_its_row_does_not_fit(self):
        Section.objects.filter(pk=1).update(parent=3)
        sample = self.sample(Section, limit=2)
        self.assertIsNone(sample.rows[Section][1]["parent"])
        self.assertFalse(sample.left_out[Section])

    def test_links_are_followed_while_there_is_room_and_not_backwards(self):
        material = Material.objects.get(pk=2)
        material.subjects.add(*[Subject.objects.create(name=str(number)) for number in range(9)])
        third = Subject.objects.order_by("pk")[2].pk
        self.assertEqual({*self.sample(Material, limit=3).rows[Subject]}, {1, 2, third})
        links = [each["fields"] for each in self.records if each["model"] == "layer_library.material_subjects"]
        pairs = {(row["material"], row["subject"]) for row in links}
        self.assertEqual(pairs, {(1, 1), (1, 2), (2, 2), (2, third)})
        self.assertNotIn(Material, self.sample(Subject).rows)

    def test_queries_and_rows_read_do_not_grow_with_the_tables(self):
        def queries() -> list[str]:
            with CaptureQueriesContext(connections["mirror"]) as captured:
                self.sample(Material, limit=10)
            return [query["sql"] for query in captured if query["sql"].startswith("SELECT")]

        few = queries()
        for number in range(30):
            member = Member.objects.create(organisation_id=1, name=str(number), joined="1998-05-16")
            Material.objects.create(collection=Collection.objects.create(curator=member, title="x"), title="x")
        self.assertLessEqual(len(queries()), len(few) + 1)
        self.assertTrue(all("LIMIT 10" in sql for sql in queries()))


class UnreadableTests(CaptureTestCase):
    def test_a_row_that_cannot_be_read_is_left_out_and_said_and_others_are_not(self):
        vendor = connections["mirror"].vendor
        value, reason = UNREADABLE[vendor]
        with connections["mirror"].cursor() as cursor:
            if vendor == "mysql":
                cursor.execute("SET sql_mode = ''")
            cursor.execute("UPDATE layer_vault_customer SET born = %s WHERE id = 2", [value])
            if vendor == "sqlite":
                cursor.execute("UPDATE layer_vault_customer SET name = CAST(x'ff' AS TEXT) WHERE id = 3")
        said = self.capture()
        self.assertIn(f"({reason})", said)
        self.assertNotIn(value, said)
        keys = [each["pk"] for each in self.records()["customer"]]
        self.assertEqual(keys, [1, 4] if vendor == "sqlite" else [1, 3, 4])


class AppendTests(CaptureTestCase):
    def test_rows_that_a_fixture_does_not_have_are_added(self):
        self.capture()
        whole = {name: len(found) for name, found in self.records().items()}
        self.capture("layer_vault.login", "--overwrite")
        self.assertLess({*self.records()}, {*whole})
        for _ in range(2):
            self.capture("layer_vault", "--append")
            self.assertEqual({name: len(found) for name, found in self.records().items()}, whole)
        self.load()
        self.assertEqual(Line.objects.get().order, Order.objects.get())

    def test_existing_rows_stay_and_new_ones_that_do_not_fit_beside_them_are_left_out(self):
        self.capture("layer_vault.customer")
        fields = {name: found[0]["fields"] for name, found in self.records().items()}
        fields["customer"]["mobile"] = customer(2)["mobile"]
        mine = [
            {"model": "layer_vault.Customer", "pk": 9, "fields": {**fields["customer"], "tags": [9]}},
            {"model": "layer_vault.tag", "pk": 9, "fields": fields["tag"]},
        ]
        self.output.write_text(json.dumps(mine))
        said = self.capture("layer_vault.customer", "--append")
        self.assertIn("layer_vault.Customer: 2 rows; 2 left out (its key or another unique value is already", said)
        self.assertEqual(json.loads(self.output.read_text(encoding="utf-8"))[:2], mine)
        self.assertEqual([each["pk"] for each in self.records()["customer"]], [3, 4])

    def test_a_key_of_a_new_row_may_lead_to_an_existing_one(self):
        self.capture("layer_vault.option")
        Option.objects.update(value="changed")
        self.capture("layer_vault.login", "--append")
        self.load()
        self.assertEqual(Login.objects.get().option, Option.objects.get())


def report_snapshot() -> None:
    """Print the names that a sample holds if the other application changes them after its first read.

    This runs in production. The alias `default`, which nothing guards, stands for the other application.
    """
    other = Subject.objects.using("default")
    if connections["default"].vendor == "sqlite":
        # Without this, SQLite blocks writers while another connection reads.
        connections["default"].cursor().execute("PRAGMA journal_mode = WAL")
    names = dict(Subject.objects.values_list("pk", "name"))

    def write_after_the_first_read(execute: Any, sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if "layer_library_material" in sql:
            other.update(name="Changed")
        return result

    try:
        sample = Sample(50, Disguise(dict.fromkeys(columns(Subject), "keep")), set(), [])
        with snapshot(), connections["mirror"].execute_wrapper(write_after_the_first_read):
            sample.take([Material])
        changed = {*Subject.objects.values_list("name", flat=True)}
    finally:
        for pk, name in names.items():
            other.filter(pk=pk).update(name=name)
    print(json.dumps([[row["name"] for row in sample.rows[Subject].values()], *changed]))


class SnapshotTests(TestCase):
    databases = {"mirror"}

    def test_writes_of_the_other_application_are_not_seen_meanwhile(self):
        with TemporaryDirectory() as folder:
            url = production.url_of("mirror", folder)
            code = "from databases.mirror.tests.test_seeds import report_snapshot; report_snapshot()"
            report = production.run(code, DATABASE_URL=url, MIRROR_DATABASE_URL=url)
        self.assertEqual(report, [["Physics", "Ethics"], "Changed"])
