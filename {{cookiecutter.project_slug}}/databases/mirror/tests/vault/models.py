"""Another application's secrets, in columns of every kind and in keys. The tables are made without migrations."""

# ruff: noqa: DJ001, DJ008

from django.db import models
from django.db.models.functions import Upper

from databases.mirror import MirrorModel

TIERS = {"gold": "Gold", "basic": "Basic"}


class Tag(MirrorModel):
    name = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="layer_vault_tag_name")]


class Customer(MirrorModel):
    name = models.CharField(max_length=60)
    capitals = models.GeneratedField(
        expression=Upper("name"), output_field=models.TextField(), db_persist=True, null=True
    )
    email = models.EmailField(unique=True)
    website = models.URLField(null=True, blank=True, unique=True)
    slug = models.SlugField(unique=True)
    phone = models.CharField(max_length=30)
    mobile = models.BigIntegerField(unique=True)
    born = models.DateField()
    card = models.CharField(max_length=19)
    tier = models.CharField(max_length=9, choices=TIERS)
    profile = models.JSONField(default=dict)
    raw = models.TextField(default="", blank=True)
    picture = models.BinaryField(null=True)
    address = models.GenericIPAddressField(null=True)
    device = models.UUIDField(unique=True)
    is_staff = models.BooleanField(default=False)
    changed = models.DateTimeField(auto_now=True)
    tags = models.ManyToManyField(Tag)
    friends = models.ManyToManyField("self")


class Company(Customer):
    tax_number = models.CharField(max_length=20)


class CompanyProxy(Company):
    class Meta:
        proxy = True


class Option(MirrorModel):
    key = models.CharField(max_length=40, primary_key=True)
    value = models.TextField()
    people = models.ManyToManyField(Customer, through="Login")


class Login(MirrorModel):
    option = models.OneToOneField(Option, models.CASCADE)
    email = models.ForeignKey(Customer, models.CASCADE, to_field="email")
    before = models.ForeignKey("self", models.SET_NULL, null=True)


class Order(MirrorModel):
    id = models.UUIDField(primary_key=True)
    company = models.ForeignKey(CompanyProxy, models.CASCADE)
    note = models.CharField(max_length=20, null=True)


class Line(MirrorModel):
    pk = models.CompositePrimaryKey("order", "number")
    order = models.ForeignKey(Order, models.CASCADE)
    number = models.IntegerField()
    text = models.CharField(max_length=20, default="")
