"""What `check_mirror` finds."""

import json


def findings(output: str) -> list[dict[str, str]]:
    """Return the findings in the output of `check_mirror --json`, which may have other lines around them."""
    found: list[dict[str, str]] = json.loads(output[output.index("{") : output.rindex("}") + 1])["findings"]
    return found
