"""The ASGI application that a server such as uvicorn loads."""

import os

from django.core.asgi import get_asgi_application

from databases.serving import fit_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()
fit_connections(asgi=True)
