"""An example app with rows in every tenant's database. `make remove-examples` removes it."""

from django.db import models
from django.utils import timezone

from databases.tenants import TenantModel


class DataPoint(TenantModel):
    name = models.CharField(max_length=100)
    value = models.FloatField()
    measured = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"
