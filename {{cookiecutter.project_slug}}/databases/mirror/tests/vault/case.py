"""Rows with secrets, and a test case that captures them and fills the tables from the fixture."""

import json
from contextlib import nullcontext
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock
from uuid import UUID

from django.apps import apps
from django.core.management import call_command
from django.db.migrations.state import ProjectState
from django.test import TestCase, override_settings

from databases.foreign.seeding import load_fixture
from databases.mirror.tests.vault.models import Company, Customer, Line, Login, Option, Order, Tag

COMMAND = "databases.mirror.management.commands.capture_seeds"
LONG_AGO = datetime.fromisoformat("1987-04-23T12:00:00.123456+00:00")
#: What no seed may contain, between bars. Made-up texts have no vowels, so that these are not in them by chance.
SECRETS = (
    "Ottilie|Quimbyaeiou|quimby-sons|reset/token-1|68394207|49157739684|1963-06|4929 7397 8635|nested|4929739786354|"
    "iVBORyBvdHRpbGll|203.0.113|fd9e:21a7|deadfeed-face|beef89739|EIUA 7393-9|aubergine|password-iguana|hunter-iguana|"
    "ring a bell|pound of tea"
)
#: Columns of numbers and dates that only a setting makes up.
LISTED = {"layer_vault.customer.mobile": "fake", "LAYER_VAULT.Customer.b*": "fake", "layer_vault.*.is_staff": "fake"}


def customer(number: int) -> dict[str, Any]:
    """Return a customer whose values are all secret, except for the key and the tier."""
    name = f"Ottilie Quimby{'aeiou' * number}"
    return {
        "pk": number,
        "name": name,
        "email": f"ottilie.{number}@quimby-sons.co.uk",
        "website": f"https://ottilie.quimby.io/reset/token-{number}" if number < 3 else None,
        "slug": f"ottilie-quimby-{number}",
        "phone": f"+49 15{number}68394207",
        "mobile": 4915773968424 + number,
        "born": date(1963, 6, 17 + number),
        "card": f"4929 7397 8635 464{number}",
        "profile": {"mail": name, "nested": [{"Ottilie Quimby": name}, 4929739786354640 + number, None, True]},
        "raw": f'["ottilie quimby",{number}]' if number % 2 else json.dumps({"ottilie": f"quimby {number}"}),
        "picture": b"\x89PNG ottilie quimby" * number,
        "address": f"203.0.113.{number}" if number % 2 else f"fd9e:21a7:a92c::{number}",
        "device": UUID(int=0xDEADFEEDFACEBEEFACEDDECADEFACADE + number),
        "tier": "gold",
    }


def fill(alias: str) -> None:
    """Create the rows: three customers, a company that has an order, and what they refer to."""
    order, company = UUID(int=0xBEEF89739), customer(4)
    Tag.objects.using(alias).bulk_create([Tag(pk=number, name=f"aubergine {number}") for number in (1, 2)])
    Customer.objects.using(alias).bulk_create([Customer(**customer(number)) for number in (1, 2, 3)])
    Company.objects.using(alias).create(**company, tax_number="EIUA 7393-9")
    Customer.objects.using(alias).update(changed=LONG_AGO)
    tags, friends = Customer.tags.through, Customer.friends.through
    tags._base_manager.using(alias).bulk_create([tags(customer_id=1, tag_id=number) for number in (1, 2)])
    friends._base_manager.using(alias).bulk_create(
        [friends(from_customer_id=here, to_customer_id=there) for here, there in ((1, 4), (4, 1))]
    )
    Option.objects.using(alias).create(key="smtp_password-iguana", value="hunter-iguana-2")
    Login.objects.using(alias).create(pk=1, option_id="smtp_password-iguana", email_id=customer(1)["email"])
    Order.objects.using(alias).create(pk=order, company_id=4, note="ring a bell twice")
    Line.objects.using(alias).create(order_id=order, number=3, text="a pound of tea")


class CaptureTestCase(TestCase):
    databases = {"mirror"}

    @classmethod
    def setUpTestData(cls):
        fill("mirror")

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.output = Path(folder.name, "mirror.json")
        # Tests are inside of a transaction, where it is too late for an isolation level.
        snapshot = mock.patch(f"{COMMAND}.snapshot", nullcontext)
        snapshot.start()
        self.addCleanup(snapshot.stop)

    def capture(self, *words: str, columns: dict[str, str] | None = None) -> str:
        """Run the command, and return what it prints."""
        said = StringIO()
        with override_settings(MIRROR_SEED_COLUMNS=columns or {}):
            call_command("capture_seeds", *(words or ("layer_vault",)), f"--output={self.output}", stdout=said)
        return said.getvalue()

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Return the records of the fixture, by the names of their models."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in json.loads(self.output.read_text(encoding="utf-8")):
            found.setdefault(record["model"].removeprefix("layer_vault."), []).append(record)
        return found

    def load(self) -> None:
        """Replace all rows by the rows of the fixture."""
        for model in (Line, Order, Login, Option, Company, Customer, Tag):
            model.objects.all().delete()
        load_fixture(self.output, ProjectState.from_apps(apps).apps, "mirror")
