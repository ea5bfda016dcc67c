"""Running the tests of a project, and reading what the runners say."""

import re

PYTEST = ("python", "-m", "pytest")
MANAGE = ("python", "manage.py", "test")


def passed(output: str) -> int:
    """Return how many tests passed; fails for none, and for a test that did anything but pass."""
    if ran := re.search(r"^Ran (\d+) tests? in", output, re.MULTILINE):
        assert "\nOK\n" in output, output
    else:
        ran = re.search(r"(\d+) passed", output)
        last = output.rstrip().rpartition("\n")[2]
        assert not re.search(r"\d+ (failed|error|skipped|xfailed|xpassed|deselected)", last), output
    assert ran is not None, output
    assert int(ran[1]) > 0, output
    return int(ran[1])
