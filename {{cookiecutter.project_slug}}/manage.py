#!/usr/bin/env python
"""Django's command line: `manage.py test` runs with the settings of the tests, all else with the project's."""

import os
import sys


def main() -> None:
    settings = "config.settings_test" if sys.argv[1:2] == ["test"] else "config.settings"
    if sys.argv[1:2] == ["test"]:
        # Assigned, not defaulted: an exported DJANGO_SETTINGS_MODULE must not bring production into a test run.
        os.environ["DJANGO_SETTINGS_MODULE"] = settings
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # One sentence that says what to do; the traceback behind it is Django's start-up and no help.
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
