"""Django's command line, for `manage.py`."""

from __future__ import annotations

import os
import sys

from django.core import management
from django.core.exceptions import ImproperlyConfigured


def execute_from_command_line(argv: list[str]) -> None:
    """Do what Django's function of this name does. `test` runs with `settings_test` beside the settings.

    Exits with one sentence where the settings are wrong.
    """
    if argv[1:2] == ["test"]:
        # Assigned, not defaulted: an exported DJANGO_SETTINGS_MODULE must not bring production into a test run.
        package = os.environ["DJANGO_SETTINGS_MODULE"].rpartition(".")[0]
        os.environ["DJANGO_SETTINGS_MODULE"] = f"{package}.settings_test"
    try:
        management.execute_from_command_line(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of the output has ended, as in `manage.py databases | head`. Python flushes again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        # Another pipe: a silent end would hide, for example, that a mail server has hung up.
        raise
    except ImproperlyConfigured as error:
        # One sentence that says what to do; the traceback behind it is Django's start-up and no help.
        sys.exit(f"manage.py: {error}")
