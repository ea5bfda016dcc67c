"""An app of another application, as text for a small project: its models, its rows, and tests of the copies."""

#: Models with secrets, unique columns, multi-table parents, and keys that are not numbers.
MODELS = """
from django.db import models
from django.db.models.functions import Lower
from databases.mirror import MirrorModel

class Customer(MirrorModel):
    email = models.EmailField(unique=True)
    login = models.CharField(max_length=20, unique=True)
    api_key = models.CharField(max_length=40, unique=True)
    password = models.CharField(max_length=80)
    profile = models.JSONField()
    notes = models.TextField(null=True)
    changed = models.DateTimeField(auto_now=True)
    picture = models.BinaryField(null=True)
    friends = models.ManyToManyField("self")

class Company(Customer):
    size = models.DecimalField(max_digits=9, decimal_places=2)

class Order(MirrorModel):
    code = models.UUIDField(primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, to_field="login")
    company = models.OneToOneField(Company, models.CASCADE, null=True)

class Token(MirrorModel):
    key = models.CharField(max_length=40, primary_key=True)

class Login(MirrorModel):
    token = models.ForeignKey(Token, models.CASCADE)

class Line(MirrorModel):
    pk = models.CompositePrimaryKey("order", "number")
    order = models.ForeignKey(Order, models.CASCADE)
    number = models.IntegerField()
"""
TESTS = """
from django.test import TransactionTestCase
from corner_shop.models import Company, Customer, Order

class ShopTests(TransactionTestCase):
    databases = ["mirror"]

    def test_the_captured_rows_are_there(self):
        order = Order.objects.get()
        self.assertEqual((order.customer.login, order.customer.changed.year), ("alice", 1987))
        self.assertEqual(order.company.size, 5)
        self.assertEqual([friend.login for friend in order.customer.friends.all()], ["acme"])
        self.assertEqual(Customer.objects.count(), 2)
        self.assertGreater(Customer.objects.create(login="new", email="x", api_key="x", profile={}).pk, 2)

    def test_they_are_there_again(self):
        self.assertEqual(Company.objects.get().login, "acme")
"""
#: The other application creates its tables and rows, through an alias without a guard.
UPSTREAM = """
from datetime import datetime, timezone
from uuid import UUID
from django.apps import apps
from django.db import connections
from corner_shop.models import *
with connections["default"].schema_editor() as editor:
    for model in apps.get_app_config("corner_shop").get_models():
        editor.create_model(model)
for pk, model, login in ((1, Customer, "alice"), (2, Company, "acme")):
    secrets = dict(email=f"hidden{pk}@example.com", password="hidden", api_key=f"hidden{pk}", picture=b"hidden")
    profile = {"colour": "red", "access-token": "hidden"}
    more = {"size": 5} if model is Company else {}
    model(pk=pk, login=login, profile=profile, notes="mail hidden@example.com", **secrets, **more).save(using="default")
customers = Customer.objects.using("default")
customers.update(changed=datetime(1987, 4, 23, 12, 0, 0, 123456, tzinfo=timezone.utc))
Friends = Customer.friends.through
Friends(from_customer_id=1, to_customer_id=2).save(using="default")
Friends(from_customer_id=2, to_customer_id=1).save(using="default")
Order(code=UUID(int=7), customer_id="alice", company_id=2).save(using="default")
Token(key="hidden").save(using="default")
Login(token_id="hidden").save(using="default")
print("null")
"""
