"""The ASGI application that a server such as uvicorn loads."""

import os

from databases.serving import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_asgi_application()
