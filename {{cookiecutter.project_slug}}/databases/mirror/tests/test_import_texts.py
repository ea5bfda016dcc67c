"""An import derives names of apps and models, formats fields, and changes files that people have edited."""

from django.test import SimpleTestCase

from databases.mirror.importer.naming import UpstreamNames, app_and_model
from databases.mirror.importer.source import HEAD, FieldText, SourceError, SourceFile, model_text

DJANGO = UpstreamNames(
    {"blog", "blog_images", "catalogue"},
    {("blog", "pagelogentry"): "PageLogEntry", ("blog", "page"): "Page", ("blog_images", "image"): "Image"},
)
#: Names from the other application, a table, and the app and the model that it becomes.
TABLES = {
    "a model that content types know": (DJANGO, "blog_pagelogentry", ("blog", "PageLogEntry")),
    "an automatic table": (DJANGO, "blog_page_related_tags", ("blog", "PageRelatedTags")),
    "an app whose label begins with another one's": (DJANGO, "blog_images_image", ("blog_images", "Image")),
    "a table that no content type knows": (DJANGO, "catalogue_odd_one", ("catalogue", "OddOne")),
    "a table of Django's": (DJANGO, "django_content_type", ("contenttypes", "ContentType")),
    "no Django project": (UpstreamNames(), "wiki_page", ("wiki", "Page")),
    "a table of one word": (UpstreamNames(), "customers", ("customers", "Customers")),
    "a table of many kinds of letters": (UpstreamNames(), "Order Details", ("order_details", "OrderDetails")),
    "a name that begins with a digit": (UpstreamNames(), "log_2024", ("log", "Table2024")),
    "a name that is a word of Python's": (UpstreamNames(), "app_none", ("app", "TableNone")),
}

OURS = '''\
"""Ours."""

from django.db import models

from databases.mirror import MirrorModel


class Product(MirrorModel):  # as sold
    name = models.CharField("its name — in full", max_length=50)  # shown
    # a foreign key to stock_depot.id, which is not copied
    depot_id = models.BigIntegerField()
    code: models.SlugField = models.SlugField(
        max_length=20,
        unique=True,
    )

    objects = models.Manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
'''
OWN = {"name", "depot_id", "code"}


class NameTests(SimpleTestCase):
    def test_tables_get_the_names_of_the_other_application(self):
        for name, (names, table, expected) in TABLES.items():
            with self.subTest(name):
                self.assertEqual(app_and_model(table, names), expected)


class LayoutTests(SimpleTestCase):
    def test_a_long_call_is_split_into_lines(self):
        for length, lines in ((20, 1), (70, 3), (90, 5)):
            text = str(FieldText("x", "CharField", [f"db_column='{'x' * length}'", "max_length=1", "null=True"]))
            self.assertEqual(len(text.splitlines()), lines, text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_a_comment_is_one_line_above_the_field(self):
        above, field = str(FieldText("x", "TextField", [], f"# {'long ' * 40}")).splitlines()
        self.assertLessEqual(len(above), 120)
        self.assertEqual(field, "    x = models.TextField()")


class ChangeTests(SimpleTestCase):
    def change(self, source: str = OURS) -> tuple[SourceFile, dict]:
        file = SourceFile(source.encode())
        return file, file.fields("Product")

    def test_an_unchanged_file_keeps_every_byte(self):
        for source in (OURS, OURS.replace("\n", "\r\n"), f"{OURS}\n\n\n", OURS.rstrip()):
            self.assertEqual(self.change(source)[0].result(), source.encode())

    def test_a_changed_argument_leaves_the_rest_unchanged(self):
        file, fields = self.change()
        file.set_arguments(fields["name"], {"max_length": 80})
        self.assertEqual(file.result().decode(), OURS.replace("max_length=50", "max_length=80"))

    def test_arguments_are_added_to_a_field_without_arguments(self):
        file, fields = self.change()
        file.set_arguments(fields["depot_id"], {"db_index": True, "default": "a"})
        expected = OURS.replace("BigIntegerField()", 'BigIntegerField(db_index=True, default="a")')
        self.assertEqual(file.result().decode(), expected)

    def test_a_field_is_removed_with_the_comment_of_an_import(self):
        file, fields = self.change()
        file.remove(fields["depot_id"])
        expected = OURS.replace("    # a foreign key to stock_depot.id, which is not copied\n", "")
        self.assertEqual(file.result().decode(), expected.replace("    depot_id = models.BigIntegerField()\n", ""))

    def test_a_replaced_field_keeps_its_name(self):
        file, fields = self.change()
        file.replace(fields["name"], FieldText("name", "IntegerField", ["unique=True"]))
        expected = OURS.replace(
            'models.CharField("its name — in full", max_length=50)', "models.IntegerField(unique=True)"
        )
        self.assertEqual(file.result().decode(), expected)

    def test_fields_are_added_in_order_after_the_last_field(self):
        file, _ = self.change()
        for name in ("b", "a"):
            file.add("Product", OWN, FieldText(name, "IntegerField"))
        added = "    b = models.IntegerField()\n    a = models.IntegerField()\n"
        self.assertEqual(file.result().decode(), OURS.replace("    )\n\n    obj", f"    )\n{added}\n    obj"))

    def test_a_class_without_fields_gets_fields_at_its_top(self):
        file = SourceFile(f'{HEAD}\n\nclass Product(MirrorModel):\n    class Meta:\n        db_table = "x"\n'.encode())
        file.add("Product", set(), FieldText("a", "IntegerField"))
        self.assertIn("(MirrorModel):\n    a = models.IntegerField()\n\n    class Meta:", file.result().decode())

    def test_several_changes_keep_their_places_and_line_endings(self):
        source = OURS.replace("\n", "\r\n")
        file, fields = self.change(source)
        file.remove(fields["depot_id"])
        file.set_arguments(fields["name"], {"max_length": 8})
        file.add("Product", OWN, FieldText("added", "IntegerField"))
        file.append(model_text("Other", "other", [FieldText("id", "AutoField", ["primary_key=True"])]))
        result = file.result().decode()
        self.assertEqual(result.count("\r\n"), result.count("\n"))
        self.assertTrue(result.startswith(source.partition("    name")[0]))
        self.assertIn("max_length=8)  # shown\r\n    code: models", result)
        self.assertIn("    )\r\n    added = models.IntegerField()\r\n\r\n    objects", result)
        self.assertTrue(result.endswith('    class Meta:\r\n        db_table = "other"\r\n'))

    def test_impossible_changes_are_refused(self):
        refused = {
            "class Product(MirrorModel): ...": "has the whole class Product in line 1",
            "class Other: pass": "has no class Product",
            "class Product(Base):\n    x = y\n": "does not import models: add `from django.db import models`",
        }
        for source, says in refused.items():
            with self.subTest(says), self.assertRaisesMessage(SourceError, says):
                file = SourceFile(source.encode())
                file.add("Product", {"x"}, FieldText("a", "IntegerField"))
                file.result()
        for source in (b"class :", "x = '\xe9'".encode("latin-1")):
            self.assertRaisesMessage(SourceError, "cannot be read as Python in UTF-8", SourceFile, source)
        file, fields = self.change(OURS.replace("unique=True", "unique=True  # here, too"))
        with self.assertRaisesMessage(SourceError, "has a comment in that field in line 12"):
            file.set_arguments(fields["code"], {"null": True})

    def test_a_change_with_a_syntax_error_is_refused(self):
        file, fields = self.change()
        file.replace(fields["name"], FieldText("name", "Char Field"))
        self.assertRaises(SourceError, file.result)
