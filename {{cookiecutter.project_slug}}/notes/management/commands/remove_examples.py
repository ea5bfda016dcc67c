"""`make remove-examples`: deletes the example apps and this command."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

MARK = "# example"


class Command(BaseCommand):
    help = (
        "Delete the example apps, their tests, their seeded rows, and every line of config/ and the Makefile that ends "
        "in '# example'. Your own files stay."
    )
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        installed = (root / "config" / "settings.py").read_text(encoding="utf-8")
        examples = re.findall(rf'^ +"(\w+)", +{MARK}$', installed, re.MULTILINE)
        for file in [root / "Makefile", *root.glob("config/*.py")]:
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if not line.rstrip().endswith(MARK)]
            if len(kept) < len(lines):
                file.write_text("".join(kept), encoding="utf-8")
        for fixture in root.glob("seeds/fixtures/*.json"):
            rows = json.loads(fixture.read_text(encoding="utf-8"))
            others = [row for row in rows if row["model"].partition(".")[0] not in examples]
            if len(others) < len(rows):
                fixture.write_text(json.dumps(others, indent=2) + "\n", encoding="utf-8")
        for test in root.glob("tests/test_*.py"):
            if test.read_text(encoding="utf-8").partition("\n")[0].endswith(MARK):
                test.unlink()
        for app in examples:
            shutil.rmtree(root / app, ignore_errors=True)
        self.stdout.write(f"Deleted {', '.join(examples)}. Their tables stay in the databases until you drop them.")
