"""A subset of the mirror holds few rows, the first ones, and every row that their keys need."""

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from databases.mirror.management.commands.capture_seeds import find_roots, parse_filters
from databases.mirror.relations import foreign_keys, targets_of
from databases.mirror.subset import Subset
from databases.mirror.tests.library.models import Chapter, Collection, Material, Section, Subject
from databases.mirror.tests.people.models import Member, Organisation

SECTIONS = 40


class SubsetTestCase(TestCase):
    databases = {"mirror"}

    def subset(self, *models: type, limit: int = 50, **filters: Any) -> Subset:
        """Return a subset after asserting its size, and that every foreign key has its target in it."""
        subset = Subset(limit)
        for model in models:
            subset.take(model, filters)
        subset.link()
        for model, rows in subset.rows.items():
            self.assertLessEqual(len(rows), limit, model)
            for row in rows.values():
                for field in foreign_keys(model):
                    key = getattr(row, field.attname)
                    self.assertTrue(key is None or key in subset.rows[field.related_model], f"{row} {field}")
        return subset

    def add_sections(self) -> list[Section]:
        """Add a chain of sections. Each is the parent of the next one."""
        parent, added = None, []
        for number in range(SECTIONS):
            parent = Section.objects.create(chapter_id=1, parent=parent, body=f"Section {number}")
            added.append(parent)
        return added


class KeyTests(SubsetTestCase):
    def test_every_foreign_key_has_its_target_in_the_subset(self):
        subset = self.subset(Section)
        self.assertEqual(set(subset.rows[Section]), {1, 2, 3})
        self.assertEqual(set(subset.rows[Collection]), {1, 2})
        self.assertEqual(set(subset.rows[Organisation]), {1, 2})
        self.assertEqual(sum(subset.left_out.values()), 0)

    def test_the_first_rows_by_primary_key_are_taken(self):
        self.assertEqual(set(self.subset(Member, limit=1).rows[Member]), {1})

    def test_null_keys_stay_null(self):
        self.assertIsNone(self.subset(Collection).rows[Collection][2].parent_id)

    def test_a_row_whose_parents_do_not_fit_is_left_out_and_counted(self):
        # Collection 1 is inside collection 2, and material 1 in the first of them.
        subset = self.subset(Material, limit=1)
        self.assertEqual((set(subset.rows[Material]), subset.left_out[Material]), (set(), 1))
        self.assertFalse(any(subset.rows.values()))

    def test_a_tree_is_followed_up_to_its_root(self):
        last = self.add_sections()[-1]
        self.assertEqual(len(self.subset(Section, pk=last.pk).rows[Section]), SECTIONS)

    def test_a_tree_deeper_than_the_limit_is_not_read_to_its_root(self):
        last = self.add_sections()[-1]
        with CaptureQueriesContext(connections["mirror"]) as queries:
            subset = self.subset(Section, limit=5, pk=last.pk)
        self.assertEqual((len(subset.rows[Section]), subset.left_out[Section]), (0, 1))
        self.assertLess(len(queries), 20)

    def test_rows_that_need_each_other_are_taken_together(self):
        Collection.objects.filter(pk=2).update(parent=1)
        self.assertEqual(set(self.subset(Collection, limit=2).rows[Collection]), {1, 2})

    def test_a_row_whose_target_is_missing_upstream_is_left_out(self):
        with connections["mirror"].constraint_checks_disabled():
            Member.objects.filter(pk=1).update(organisation_id=99)
            try:
                subset = self.subset(Member)
                self.assertEqual((set(subset.rows[Member]), subset.left_out[Member]), ({2}, 1))
            finally:
                Member.objects.filter(pk=1).update(organisation_id=1)


class LinkTests(SubsetTestCase):
    def links(self, subset: Subset) -> set[tuple[int, int]]:
        return set(subset.links.get(Material._meta.get_field("subjects"), []))

    def test_links_and_the_rows_they_lead_to_are_in_the_subset(self):
        subset = self.subset(Material)
        self.assertEqual(self.links(subset), {(1, 1), (1, 2), (2, 2)})
        self.assertEqual(set(subset.rows[Subject]), {1, 2})

    def test_links_are_followed_while_there_is_room(self):
        Material.objects.get(pk=2).subjects.add(*[Subject.objects.create(name=str(number)) for number in range(9)])
        subset = self.subset(Material, limit=2)
        self.assertEqual(self.links(subset), {(1, 1), (1, 2), (2, 2)})

    def test_links_are_not_followed_backwards(self):
        subset = self.subset(Subject)
        self.assertEqual((self.links(subset), subset.rows[Material]), (set(), {}))


class FilterTests(SubsetTestCase):
    def test_a_filter_over_many_rows_finds_each_row_once(self):
        subset = self.subset(Material, limit=2, subjects__pk__in=["1", "2"])
        self.assertEqual(set(subset.rows[Material]), {1, 2})
        self.assertEqual(set(self.subset(Member, name__startswith="Ch").rows[Member]), {1})

    def test_filters_are_read_from_words(self):
        words = ["name__startswith=A=B", "pk__in=1,2", "parent__isnull=no", "curator__isnull=True"]
        filters = {"name__startswith": "A=B", "pk__in": ["1", "2"], "parent__isnull": False, "curator__isnull": True}
        self.assertEqual(parse_filters(words), filters)
        for word in ("hidden", "=hidden"):
            with self.subTest(word), self.assertRaisesMessage(CommandError, "--filter takes field=value or"):
                parse_filters([word])

    def test_a_filter_that_does_not_fit_is_an_error_without_its_value(self):
        for filters in ({"nme": "hidden"}, {"joined": "hidden"}, {"pk": "hidden"}, {"name__nme": "hidden"}):
            with (
                self.subTest(filters),
                self.assertRaisesMessage(CommandError, "--filter does not fit layer_people.Member"),
            ):
                self.subset(Member, **filters)
            with self.assertRaises(CommandError) as caught:
                self.subset(Member, **filters)
            self.assertNotIn("hidden", str(caught.exception))


class SizeTests(SubsetTestCase):
    def test_the_number_of_queries_does_not_grow_with_the_tables(self):
        def queries() -> int:
            with CaptureQueriesContext(connections["mirror"]) as captured:
                self.subset(Material, limit=10)
            return len(captured)

        few = queries()
        for number in range(30):
            member = Member.objects.create(organisation_id=1, name=str(number), joined="1998-05-16")
            Material.objects.create(collection=Collection.objects.create(curator=member, title="x"), title="x")
        self.assertLessEqual(queries(), few + 1)

    def test_the_rows_that_are_read_do_not_grow_with_the_tables(self):
        self.add_sections()
        with CaptureQueriesContext(connections["mirror"]) as queries:
            self.subset(Section, limit=3)
        selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        self.assertTrue(all("LIMIT" in sql or " IN (" in sql for sql in selects), selects)


class RootTests(SubsetTestCase):
    def test_an_app_label_selects_its_models_dependent_ones_first(self):
        roots = find_roots(["layer_library"])
        self.assertEqual(roots, [Section, Chapter, Material, Collection, Subject])
        self.assertEqual(find_roots(["layer_people.member", "LAYER_PEOPLE"]), [Member, Organisation])

    def test_an_unknown_label_is_an_error_that_names_the_known_ones(self):
        for label in (
            "layer_notebook",
            "layer_notebook.Note",
            "layer_library.Nothing",
            "layer_library.material_subjects",
        ):
            with (
                self.subTest(label),
                self.assertRaisesMessage(CommandError, " layer_people, layer_people.Member, layer_people.Organisation"),
            ):
                find_roots([label])

    def test_targets_of_a_model_are_found_at_any_distance(self):
        self.assertEqual(targets_of(Collection), {Member, Organisation})
        self.assertEqual(targets_of(Subject), set())
