"""Django's backend for MySQL and MariaDB, with at most as many connections as the process may have."""

from django.db.backends.mysql import base

from databases.tenants.backends.wrapper import TenantWrapper


class DatabaseWrapper(TenantWrapper, base.DatabaseWrapper):
    """Closes its connection at the end of a request."""
