"""The WSGI application that a server such as gunicorn loads."""

import os

from databases.serving import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
