"""What the projects of the other packages share: settings of production, where Django's defaults differ."""

SETTINGS = """
import os

SECRET_KEY = "for benchmarks only"
ALLOWED_HOSTS = [".example.com"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CENTRAL = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
INSTALLED_APPS = [*CENTRAL, "shop"]
MIDDLEWARE = []
PREFIX = os.environ["PREFIX"]
# As in the projects of the template: connections stay open, with health checks.
SERVER = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ["PGDIR"],
    "USER": "postgres",
    "CONN_MAX_AGE": int(os.environ.get("AGE", 60)),
    "CONN_HEALTH_CHECKS": True,
}
DATABASES = {"default": {**SERVER, "NAME": f"{PREFIX}_site"}}
"""
MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
WSGI = """
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
#: For ways with a database per tenant that do not create it.
DATABASES = """
from django.db import connection

def name(number):
    return f"{os.environ['PREFIX']}_{number}"

def create_database(database, template="template0"):
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
"""
