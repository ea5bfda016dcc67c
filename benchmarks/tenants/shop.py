"""The app that every project of the comparison has, with a number of models and of migrations."""

from typing import NamedTuple


class Size(NamedTuple):
    """The size of the app. Its first migrations create the models; each later one adds a column and an index."""

    models: int
    migrations: int

    @property
    def making(self) -> int:
        """The number of migrations that create models: the first one six, each other one one."""
        return self.models - 5


SMALL, LARGE = Size(20, 15), Size(100, 200)

HEAD = "from django.db import models\n\n"
MODEL = """
class Model{number}({base}):
    name = models.CharField(max_length=100, db_index=True)
    count = models.IntegerField(default=0)
    made = models.DateTimeField(auto_now_add=True)
{more}
"""
#: Three reads and a write. `using` names the database where a way has to name it.
VIEWS = """
from django.http import HttpResponse
from django.urls import path

from .models import Model1, Model2, Model3, Model4


def page(request):
    alias = request.get_host().partition(".")[0]
    owner = Model1.objects{using}.get(pk=1)
    rows = list(Model2.objects{using}.filter(parent_id=1).order_by("pk"))
    count = Model3.objects{using}.filter(count__gte=0).count()
    Model4.objects{using}.create(name="visit", count=count + len(rows))
    return HttpResponse(f"{{alias}} {{owner.name}}")


urlpatterns = [path("", page)]
"""
FILL = """
from .models import Model1, Model2, Model3


def fill(mark, alias):
    owner = Model1.objects.using(alias).create(name=mark)
    Model2.objects.using(alias).bulk_create([Model2(name=f"row {n}", parent=owner) for n in range(10)])
    Model3.objects.using(alias).bulk_create([Model3(name=f"row {n}", count=n) for n in range(10)])
"""
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [
{operations}
    ]
"""
CREATE = """        migrations.CreateModel(
            name="Model{number}",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, db_index=True)),
                ("count", models.IntegerField(default=0)),
                ("made", models.DateTimeField(auto_now_add=True)),
{parent}            ],
            options={{"abstract": False}},
        ),"""
PARENT = 'models.ForeignKey("shop.Model{before}", models.CASCADE, null=True)'
NOTE = 'models.CharField(max_length=50, default="")'
LATE = "models.IntegerField(null=True)"


def files(base: str, size: Size, using: str = "") -> dict[str, str]:
    """Return the files of the app by path.

    Arguments: the base class of its models, as `module.Class`; its size; the code that names the database in its view.
    """
    module, _, name = base.rpartition(".")
    head = HEAD if module == "models" else f"{HEAD}from {module} import {name}\n\n"
    name = f"models.{name}" if module == "models" else name
    found = {"shop/__init__.py": "", "shop/migrations/__init__.py": ""}
    found["shop/models.py"] = head + "\n".join(_model(number, name, size) for number in range(1, size.models + 1))
    found["shop/urls.py"] = VIEWS.format(using=using)
    found["shop/rows.py"] = FILL
    for number in range(1, size.migrations + 1):
        found[f"shop/migrations/{_name(number)}.py"] = _migration(number, size)
    return found


def _name(number: int) -> str:
    return f"{number:04}_step"


def _target(migration: int, size: Size) -> int:
    """Return the model that a later migration adds a column to."""
    return (migration - size.making - 1) % size.models + 1


def _model(number: int, base: str, size: Size) -> str:
    lines = []
    if number % 2 == 0:
        lines.append(f"    parent = {PARENT.format(before=number - 1)}")
    if number + 1 <= size.making:
        lines.append(f"    note{number + 1} = {NOTE}")
    late = [each for each in range(size.making + 1, size.migrations + 1) if _target(each, size) == number]
    lines += [f"    late{each} = {LATE}" for each in late]
    indexes = ", ".join(f'models.Index(fields=["late{each}"], name="shop_late{each}")' for each in late)
    lines.append(f"\n    class Meta:\n        indexes = [{indexes}]")
    return MODEL.format(number=number, base=base, more="\n".join(lines))


def _migration(number: int, size: Size) -> str:
    dependencies = [("shop", _name(number - 1))] if number > 1 else []
    if number == 1:
        operations = [_create(model) for model in range(1, 7)]
    elif number <= size.making:
        operations = [_create(number + 5), _add(number - 1, f"note{number}", NOTE)]
    else:
        model, field = _target(number, size), f"late{number}"
        index = f'models.Index(fields=["{field}"], name="shop_{field}")'
        operations = [_add(model, field, LATE), f'        migrations.AddIndex("model{model}", {index}),']
    return MIGRATION.format(dependencies=dependencies, operations="\n".join(operations))


def _create(number: int) -> str:
    parent = f'                ("parent", {PARENT.format(before=number - 1)}),\n' if number % 2 == 0 else ""
    return CREATE.format(number=number, parent=parent)


def _add(model: int, field: str, kind: str) -> str:
    return f'        migrations.AddField("model{model}", "{field}", {kind}),'
