"""Which rows of the mirror a sample holds: few, the first ones, and nothing that leads out of it."""

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from accounts.models import Member, Organisation
from databases.management.commands.capture_seeds import find_roots, parse_filters
from databases.mirror.relations import foreign_keys, leads_to
from databases.mirror.sample import Sample
from materials.models import Chapter, Collection, Material, Section, Subject

SECTIONS = 40


class SampleCase(TestCase):
    databases = {"mirror"}

    def sample(self, *models: type, limit: int = 50, **filters: Any) -> Sample:
        """Return a sample after checking what holds for each: its size, and that no key leads out of it."""
        sample = Sample(limit)
        for model in models:
            sample.take(model, filters)
        sample.link()
        for model, rows in sample.rows.items():
            self.assertLessEqual(len(rows), limit, model)
            for row in rows.values():
                for field in foreign_keys(model):
                    key = getattr(row, field.attname)
                    self.assertTrue(key is None or key in sample.rows[field.related_model], f"{row} {field}")
        return sample

    def add_sections(self) -> list[Section]:
        """Add a chain of sections, each inside the one before it."""
        parent, added = None, []
        for number in range(SECTIONS):
            parent = Section.objects.create(chapter_id=1, parent=parent, body=f"Section {number}")
            added.append(parent)
        return added


class KeyTests(SampleCase):
    def test_every_key_leads_to_a_row_of_the_sample(self):
        sample = self.sample(Section)
        self.assertEqual(set(sample.rows[Section]), {1, 2, 3})
        self.assertEqual(set(sample.rows[Collection]), {1, 2})
        self.assertEqual(set(sample.rows[Organisation]), {1, 2})
        self.assertEqual(sum(sample.left_out.values()), 0)

    def test_the_first_rows_are_taken_in_the_order_of_their_keys(self):
        self.assertEqual(set(self.sample(Member, limit=1).rows[Member]), {1})

    def test_keys_that_are_null_stay_so(self):
        self.assertIsNone(self.sample(Collection).rows[Collection][2].parent_id)

    def test_a_row_whose_parents_do_not_fit_is_left_out_and_counted(self):
        # Collection 1 is inside collection 2, and material 1 in the first of them.
        sample = self.sample(Material, limit=1)
        self.assertEqual((set(sample.rows[Material]), sample.left_out[Material]), (set(), 1))
        self.assertFalse(any(sample.rows.values()))

    def test_a_tree_is_followed_up_to_its_root(self):
        last = self.add_sections()[-1]
        self.assertEqual(len(self.sample(Section, pk=last.pk).rows[Section]), SECTIONS)

    def test_a_tree_that_is_deeper_than_the_limit_is_not_read_to_its_root(self):
        last = self.add_sections()[-1]
        with CaptureQueriesContext(connections["mirror"]) as queries:
            sample = self.sample(Section, limit=5, pk=last.pk)
        self.assertEqual((len(sample.rows[Section]), sample.left_out[Section]), (0, 1))
        self.assertLess(len(queries), 20)

    def test_rows_that_lead_to_each_other_are_taken_together(self):
        Collection.objects.filter(pk=2).update(parent=1)
        self.assertEqual(set(self.sample(Collection, limit=2).rows[Collection]), {1, 2})

    def test_a_key_that_leads_nowhere_upstream_leaves_its_row_out(self):
        with connections["mirror"].constraint_checks_disabled():
            Member.objects.filter(pk=1).update(organisation_id=99)
            try:
                sample = self.sample(Member)
                self.assertEqual((set(sample.rows[Member]), sample.left_out[Member]), ({2}, 1))
            finally:
                Member.objects.filter(pk=1).update(organisation_id=1)


class LinkTests(SampleCase):
    def links(self, sample: Sample) -> set[tuple[int, int]]:
        return set(sample.links.get(Material._meta.get_field("subjects"), []))

    def test_links_and_what_is_at_their_far_end_are_in_the_sample(self):
        sample = self.sample(Material)
        self.assertEqual(self.links(sample), {(1, 1), (1, 2), (2, 2)})
        self.assertEqual(set(sample.rows[Subject]), {1, 2})

    def test_the_far_end_is_followed_while_there_is_room(self):
        Material.objects.get(pk=2).subjects.add(*[Subject.objects.create(name=str(number)) for number in range(9)])
        sample = self.sample(Material, limit=2)
        self.assertEqual(self.links(sample), {(1, 1), (1, 2), (2, 2)})

    def test_the_near_end_is_not(self):
        sample = self.sample(Subject)
        self.assertEqual((self.links(sample), sample.rows[Material]), (set(), {}))


class FilterTests(SampleCase):
    def test_a_filter_over_many_rows_finds_each_row_once(self):
        sample = self.sample(Material, limit=2, subjects__pk__in=["1", "2"])
        self.assertEqual(set(sample.rows[Material]), {1, 2})
        self.assertEqual(set(self.sample(Member, name__startswith="Ch").rows[Member]), {1})

    def test_filters_are_read_from_words(self):
        words = ["name__startswith=A=B", "pk__in=1,2", "parent__isnull=no", "curator__isnull=True"]
        filters = {"name__startswith": "A=B", "pk__in": ["1", "2"], "parent__isnull": False, "curator__isnull": True}
        self.assertEqual(parse_filters(words), filters)
        for word in ("hidden", "=hidden"):
            with self.subTest(word), self.assertRaisesMessage(CommandError, "--filter takes field=value or"):
                parse_filters([word])

    def test_a_filter_that_does_not_fit_is_an_error_without_its_value(self):
        for filters in ({"nme": "hidden"}, {"joined": "hidden"}, {"pk": "hidden"}, {"name__nme": "hidden"}):
            with self.subTest(filters), self.assertRaisesMessage(CommandError, "--filter does not fit accounts.Member"):
                self.sample(Member, **filters)
            with self.assertRaises(CommandError) as caught:
                self.sample(Member, **filters)
            self.assertNotIn("hidden", str(caught.exception))


class SizeTests(SampleCase):
    def test_the_number_of_queries_does_not_grow_with_the_tables(self):
        def queries() -> int:
            with CaptureQueriesContext(connections["mirror"]) as captured:
                self.sample(Material, limit=10)
            return len(captured)

        few = queries()
        for number in range(30):
            member = Member.objects.create(organisation_id=1, name=str(number), joined="1998-05-16")
            Material.objects.create(collection=Collection.objects.create(curator=member, title="x"), title="x")
        self.assertLessEqual(queries(), few + 1)

    def test_the_rows_that_are_read_do_not_grow_with_the_tables(self):
        self.add_sections()
        with CaptureQueriesContext(connections["mirror"]) as queries:
            self.sample(Section, limit=3)
        selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        self.assertTrue(all("LIMIT" in sql or " IN (" in sql for sql in selects), selects)


class RootTests(SampleCase):
    def test_an_app_stands_for_all_of_its_models_with_those_first_that_need_others(self):
        roots = find_roots(["materials"])
        self.assertEqual(roots, [Section, Chapter, Material, Collection, Subject])
        self.assertEqual(find_roots(["accounts.member", "ACCOUNTS"]), [Member, Organisation])

    def test_what_is_no_mirrored_model_is_an_error_that_names_those_that_are(self):
        for label in ("notes", "notes.Note", "materials.Nothing", "materials.material_subjects"):
            with self.subTest(label), self.assertRaisesMessage(CommandError, "there are: accounts, accounts.Member,"):
                find_roots([label])

    def test_what_a_model_leads_to_is_known_at_any_distance(self):
        self.assertEqual(leads_to(Collection), {Member, Organisation})
        self.assertEqual(leads_to(Subject), set())
