"""The project's own settings, as in production, and the apps that the layer's tests work on."""

from config.settings import *  # noqa: F403
from databases.testing.settings import add_test_apps

add_test_apps(globals())
