"""Seconds in which a large tenant is not written to, while it moves to another server in both ways.

Two PostgreSQL servers on this machine; a process writes one row after the other to the tenant.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tests.support import commands, replicating_fleet
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.template import ROOT

ANSWERS = {
    "project_slug": "bench",
    "primary_database": "postgresql",
    "secondary_database": "none",
    "tenant_databases": "fleet",
    "django_version": "6.1",
}
#: A row of one kilobyte that does not compress.
FILL = """
CREATE TABLE large AS SELECT n AS id, string_agg(md5(n::text || m), '') AS text
FROM generate_series(1, {rows}) n, generate_series(1, 30) m GROUP BY n;
ALTER TABLE large ADD PRIMARY KEY (id)
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of one kilobyte each")
    parser.add_argument("--folder", type=Path, help="for the servers' files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        answers = [f"{key}={value}" for key, value in ANSWERS.items()]
        commands.run([commands.COOKIECUTTER, "--no-input", "-o", folder, ROOT, *answers], cwd=folder)
        project = Bake(folder / "bench", ANSWERS)
        tools = Environment(ROOT / ".envs/django-6.1")
        with replicating_fleet.running(folder, project, tools, 1000) as site:
            row = site.row()
            site.servers["default"].server.execute(FILL.format(rows=options.rows), row["database"])
            owner = f"ALTER TABLE large OWNER TO {row['user'][:-2]}"
            site.servers["default"].server.execute(owner, row["database"])
            (size,) = site.servers["default"].server.execute(f"SELECT pg_database_size('{row['database']}')")[0]
            print(f"{int(str(size)) / 1e9:.2f} GB")
            for server, way in (("eu", ["--online"]), ("default", []), ("eu", ["--online"]), ("default", [])):
                with site.written(folder / "running") as seen:
                    began = time.monotonic()
                    site.manage("move_tenant", "acme", "--server", server, *way)
                    took = time.monotonic() - began
                what = "online" if way else "plain"
                print(f"{what}: {took:.1f} s, without writes {seen['longest']:.1f} s, lost {len(seen['lost'])}")
                site.manage("purge_archived_tenants", "--older-than", "0d")


if __name__ == "__main__":
    main()
