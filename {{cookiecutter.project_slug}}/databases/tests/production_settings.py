"""The project's own settings, as in production, and the apps that the layer's tests work on."""

import os
from importlib import import_module

from databases.testing.settings import add_test_apps

own = vars(import_module(os.environ["OWN_SETTINGS"]))
globals().update({name: value for name, value in own.items() if name.isupper()})
add_test_apps(globals())
