"""The model that tests of external tenants read: each tenant's database has seeded rows of it."""

from django.db import models

from databases.tenants import TenantModel


class Reading(TenantModel):
    name = models.CharField(max_length=100)
    value = models.FloatField()
    measured = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"
