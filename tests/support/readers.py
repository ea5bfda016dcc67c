"""The database user that the mirror's README describes: it may read the mirror, and nothing else."""

import re
from urllib.parse import quote

from tests.support.bakes import Bake
from tests.support.databases import DatabaseServer
from tests.support.documents import blocks


def make_reader(project: Bake, server: DatabaseServer, pristine: str, name: str, owner_url: str) -> str:
    """Create the user that the mirror's README describes, and return the URL that logs in as it."""
    (sql,) = blocks(project.read("databases/mirror/README.md"), "sql")
    reader = f"reader_{name}"
    (owner,) = server.execute("SELECT current_user")[0]
    for statement in filter(None, map(str.strip, sql.split(";"))):
        told = statement.replace("main_site_owner", str(owner)).replace("…", "reads only")
        # MySQL grants rights by the name of a database, and PostgreSQL inside the database.
        database = name if project.answers["__mysql"] else pristine
        told = re.sub(r"\bmain_site\b", f"`{name}`" if project.answers["__mysql"] else f'"{pristine}"', told)
        server.execute(re.sub(r"\breader\b", reader, told), "" if project.answers["__mysql"] else database)
    login, _, place = owner_url.partition("://")[2].rpartition("@")
    assert login, owner_url
    scheme = owner_url.partition("://")[0]
    return f"{scheme}://{reader}:{quote('reads only')}@{place}"
