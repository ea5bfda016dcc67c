#!/usr/bin/env python
"""Django's command line: `manage.py test` runs with the settings of the tests, all else with the project's."""

import os
import sys

from databases.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)
