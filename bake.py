"""What `make project` runs: cookiecutter on this template, and one line, no traceback, for an unknown choice."""

import sys
from pathlib import Path

from cookiecutter.cli import main

try:
    main([str(Path(__file__).parent), *sys.argv[1:]])
except ValueError as error:
    # cookiecutter compares choices before anything of the template is loaded, so the template itself cannot refuse.
    if "provided for choice variable" not in str(error):
        raise
    sys.exit(" ".join(str(error).split()))
