"""The texts of an import: names of apps and models, fields as they are laid out, and changes in files of people."""

from django.test import SimpleTestCase

from databases.mirror.importer.naming import Directory, place
from databases.mirror.importer.source import HEAD, FieldText, SourceError, SourceFile, model_text

DJANGO = Directory(
    {"blog", "blog_images", "catalogue"},
    {("blog", "pagelogentry"): "PageLogEntry", ("blog", "page"): "Page", ("blog_images", "image"): "Image"},
)
#: What the other application tells of itself, a table, and the app and the model that it becomes.
PLACES = {
    "a model that content types know": (DJANGO, "blog_pagelogentry", ("blog", "PageLogEntry")),
    "an automatic table": (DJANGO, "blog_page_related_tags", ("blog", "PageRelatedTags")),
    "an app whose label begins with another one's": (DJANGO, "blog_images_image", ("blog_images", "Image")),
    "a table that no content type knows": (DJANGO, "catalogue_odd_one", ("catalogue", "OddOne")),
    "a table of Django's": (DJANGO, "django_content_type", ("contenttypes", "ContentType")),
    "no Django project": (Directory(), "wiki_page", ("wiki", "Page")),
    "a table of one word": (Directory(), "customers", ("customers", "Customers")),
    "a table of many kinds of letters": (Directory(), "Order Details", ("order_details", "OrderDetails")),
    "a name that begins with a digit": (Directory(), "log_2024", ("log", "Table2024")),
    "a name that is a word of Python's": (Directory(), "app_none", ("app", "TableNone")),
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
    def test_tables_get_the_names_that_the_other_application_gives_them(self):
        for name, (directory, table, expected) in PLACES.items():
            with self.subTest(name):
                self.assertEqual(place(table, directory), expected)


class LayoutTests(SimpleTestCase):
    def test_a_call_takes_as_many_lines_as_it_needs(self):
        for length, lines in ((20, 1), (70, 3), (90, 5)):
            text = str(FieldText("x", "CharField", [f"db_column='{'x' * length}'", "max_length=1", "null=True"]))
            self.assertEqual(len(text.splitlines()), lines, text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_a_comment_stands_above_and_is_not_longer_than_a_line(self):
        above, field = str(FieldText("x", "TextField", [], f"# {'long ' * 40}")).splitlines()
        self.assertLessEqual(len(above), 120)
        self.assertEqual(field, "    x = models.TextField()")


class ChangeTests(SimpleTestCase):
    def change(self, source: str = OURS) -> tuple[SourceFile, dict]:
        file = SourceFile(source.encode())
        return file, file.fields("Product")

    def test_a_file_that_is_not_changed_keeps_every_byte(self):
        for source in (OURS, OURS.replace("\n", "\r\n"), f"{OURS}\n\n\n", OURS.rstrip()):
            self.assertEqual(self.change(source)[0].result(), source.encode())

    def test_an_argument_is_changed_and_the_rest_stays(self):
        file, fields = self.change()
        file.set_arguments(fields["name"], {"max_length": 80})
        self.assertEqual(file.result().decode(), OURS.replace("max_length=50", "max_length=80"))

    def test_arguments_are_added_where_there_were_none(self):
        file, fields = self.change()
        file.set_arguments(fields["depot_id"], {"db_index": True, "default": "a"})
        expected = OURS.replace("BigIntegerField()", 'BigIntegerField(db_index=True, default="a")')
        self.assertEqual(file.result().decode(), expected)

    def test_a_field_is_removed_with_the_comment_that_an_import_wrote(self):
        file, fields = self.change()
        file.remove(fields["depot_id"])
        expected = OURS.replace("    # a foreign key to stock_depot.id, which is not copied\n", "")
        self.assertEqual(file.result().decode(), expected.replace("    depot_id = models.BigIntegerField()\n", ""))

    def test_a_field_is_replaced_under_its_name(self):
        file, fields = self.change()
        file.replace(fields["name"], FieldText("name", "IntegerField", ["unique=True"]))
        expected = OURS.replace(
            'models.CharField("its name — in full", max_length=50)', "models.IntegerField(unique=True)"
        )
        self.assertEqual(file.result().decode(), expected)

    def test_fields_are_added_after_the_last_one_in_their_order(self):
        file, _ = self.change()
        for name in ("b", "a"):
            file.add("Product", OWN, FieldText(name, "IntegerField"))
        added = "    b = models.IntegerField()\n    a = models.IntegerField()\n"
        self.assertEqual(file.result().decode(), OURS.replace("    )\n\n    obj", f"    )\n{added}\n    obj"))

    def test_a_class_without_fields_takes_them_at_its_top(self):
        file = SourceFile(f'{HEAD}\n\nclass Product(MirrorModel):\n    class Meta:\n        db_table = "x"\n'.encode())
        file.add("Product", set(), FieldText("a", "IntegerField"))
        self.assertIn("(MirrorModel):\n    a = models.IntegerField()\n\n    class Meta:", file.result().decode())

    def test_several_changes_do_not_disturb_each_other_whatever_ends_the_lines(self):
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

    def test_what_cannot_be_changed_is_refused(self):
        refused = {
            "class Product(MirrorModel): ...": "has all of the class Product in line 1",
            "class Other: pass": "has no class Product written out",
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
        with self.assertRaisesMessage(SourceError, "in a way of its own in line 12"):
            file.set_arguments(fields["code"], {"null": True})

    def test_a_text_that_would_not_run_is_refused(self):
        file, fields = self.change()
        file.replace(fields["name"], FieldText("name", "Char Field"))
        self.assertRaises(SourceError, file.result)
