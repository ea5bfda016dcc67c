"""What `make project` runs: cookiecutter on this template, with one line instead of a traceback for unknown choices."""

import re
import sys
from pathlib import Path

from cookiecutter.cli import main

from template_extensions import refusal

try:
    main([str(Path(__file__).parent), *sys.argv[1:]])
except ValueError as error:
    # cookiecutter compares choices before it loads the template, so the template cannot refuse them.
    unknown = re.fullmatch(r"(.*) provided for choice variable (\w+), but the choices are \[(.*)\]\.", str(error), re.S)
    if unknown is None:
        raise
    answer, key, choices = unknown.groups()
    sys.exit(str(refusal(key, answer, "it is not one of the choices", f"type one of {choices}")))
