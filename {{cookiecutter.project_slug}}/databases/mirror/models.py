"""The base class of every model that is copied from another application."""

from django.db import models


class MirrorModel(models.Model):
    """A model of another application, read from the database `mirror`.

    Keep fields, `db_table` and `db_column` as they are in that application. Its migrations run in test databases only.
    """

    database_role = "mirror"
    #: The column that serves as the key of a view, or of a table without a key.
    chosen_key = ""

    class Meta:
        abstract = True
