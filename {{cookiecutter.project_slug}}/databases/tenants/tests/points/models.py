"""The model that the layer's own tests of tenants work on."""

from django.db import models
from django.utils import timezone

from databases.tenants import TenantModel


class DataPoint(TenantModel):
    name = models.CharField(max_length=100)
    value = models.FloatField()
    measured = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class Series(TenantModel):
    """Points to data points in both ways that Django has."""

    name = models.CharField(max_length=100, default="")
    best = models.ForeignKey(DataPoint, models.CASCADE, null=True, related_name="best_of")
    points = models.ManyToManyField(DataPoint, related_name="series")
