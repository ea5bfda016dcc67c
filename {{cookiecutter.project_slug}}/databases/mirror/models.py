"""The base of every model that is a copy of another application's."""

from django.db import models


class MirrorModel(models.Model):
    """A model of another application, read from the database `mirror`.

    Keep the fields, `db_table` and `db_column` as they are over there. Its migrations run in test databases only.
    """

    database_role = "mirror"

    class Meta:
        abstract = True
