"""What `make project` runs: cookiecutter on this template, with one line instead of a traceback for unknown choices."""

import json
import re
import sys
from pathlib import Path

from cookiecutter.cli import main

from template_extensions import refusal

# cookiecutter ignores a question that it does not know, and would use the default of the one that was meant.
questions = [key for key in json.loads((Path(__file__).parent / "cookiecutter.json").read_text()) if key[0] != "_"]
for word in sys.argv[1:]:
    key, is_answer, answer = word.partition("=")
    if is_answer and re.fullmatch(r"\w+", key) and key not in questions:
        sys.exit(str(refusal(key, answer, "there is no such question", f"type one of {', '.join(questions)}")))

try:
    main([str(Path(__file__).parent), *sys.argv[1:]])
except ValueError as error:
    # cookiecutter compares choices before it loads the template, so the template cannot refuse them.
    unknown = re.fullmatch(r"(.*) provided for choice variable (\w+), but the choices are \[(.*)\]\.", str(error), re.S)
    if unknown is None:
        raise
    answer, key, choices = unknown.groups()
    sys.exit(str(refusal(key, answer, "it is not one of the choices", f"type one of {choices}")))
