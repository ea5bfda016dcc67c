"""Each variable that the settings of a project read refuses a wrong value with one sentence, which hides secrets."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Baker
from tests.support import settings
from tests.support.environments import Environment
from tests.support.variants import DJANGO

#: By variable, values that are wrong.
WRONG = {
    "DEBUG": ["maybe", ""],
    "ALLOWED_HOSTS": ["https://example.com", "a.example.com, b.example.com", "example.com:8000"],
    "SITE_DOMAIN": ["https://example.com", "example.com:8000"],
    "SECURE_SSL_REDIRECT": ["enabled"],
    "SECURE_HSTS_SECONDS": ["abc", "-1", "3600s"],
    "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "X-Forwarded-Proto: https"],
    "ADMINS": ["admin", "admin@example.com, other@example.com"],
    "SERVER_EMAIL": ["app"],
    "LOG_FORMAT": ["xml"],
}
SECRET = {
    "DATABASE_URL": ["s3cret", "oracle://ann:s3cret@host/db", "postgresql://ann:s3cret@host:s3cret/db"],
    "SECONDARY_DATABASE_URL": ["postgresql://ann:s3cret@host"],
    "MIRROR_DATABASE_URL": ["mysql://ann:s3c/ret@host/db"],
    "REPLICA_DATABASE_URLS": ["postgresql://ann:s3cret@host/db?weight=none", "oracle://ann:s3cret@host/db"],
    "TENANT_DATABASE_URL": ["postgresql://ann:s3cret@host/db", "postgresql://ann:s3cret@host/{name}?pool=true"],
    "TENANT_SERVERS": ["postgresql://ann:s3cret@host/{name}", "eu=mysql://ann:s3cret@host/{name}"],
    "TENANT_PASSWORD_KEYS": ["s3cret"],
    "EMAIL_URL": ["s3cret", "smtp://ann:s3cret@host:s3cret", "imap://ann:s3cret@host"],
}
#: Any text is a key. Django says that it is empty, and its checks that it is short.
ANY = {"SECRET_KEY"}
#: Reads the settings once for each pair of a variable and a value, and prints what they say.
READ = """
import json, os, sys
from django.core.exceptions import ImproperlyConfigured
said = []
before = dict(os.environ)
for name, value in json.loads(sys.argv[1]):
    os.environ.clear()
    os.environ.update({**before, name: value})
    for module in [each for each in sys.modules if each.startswith("config")]:
        del sys.modules[module]
    try:
        import config.settings
        said.append("")
    except ImproperlyConfigured as error:
        said.append(str(error))
print(json.dumps(said))
"""


def test_a_wrong_value_is_refused_with_one_sentence(bake: Baker, environment: Callable[[str], Environment]) -> None:
    version = DJANGO or "6.1"
    roles = {"secondary_database": "mirror-and-writable", "read_replicas": "yes", "tenant_databases": "fleet"}
    project = bake(primary_database="postgresql", django_version=version, **roles)
    assert {*WRONG, *SECRET} | ANY == {*re.findall("^([A-Z_]+)=", project.read(".env.example"), re.MULTILINE)}
    pairs = [(name, value) for name, values in {**WRONG, **SECRET}.items() for value in values]
    env = settings.production(project, lambda name: f"postgresql://ann:x@localhost/{name}")
    said = json.loads(project.run(environment(version), "python", "-c", READ, json.dumps(pairs), env=env))
    for (name, value), sentence in zip(pairs, said, strict=True):
        assert re.fullmatch(rf"{name}\b.*\.", sentence), (name, value, sentence)
        assert "s3c" not in sentence
        assert name in SECRET or repr(value.split(",")[-1]) in sentence


#: A command fails at another pipe than that of its output.
HANGS_UP = """
from unittest import mock
from databases import management
broken = mock.patch.object(management.management, "execute_from_command_line", side_effect=BrokenPipeError(
    "the mail server has hung up"))
with broken:
    management.execute_from_command_line(["manage.py", "check"])
"""


def test_a_command_whose_reader_has_ended_prints_no_traceback(
    bake: Baker, environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    version = DJANGO or "6.1"
    project = bake(primary_database="sqlite", secondary_database="none", django_version=version)
    env = settings.production(project, settings.sqlite(tmp_path))
    line = "python manage.py help --commands | true; echo ${PIPESTATUS[0]}"
    assert project.run(environment(version), "bash", "-c", line, env=env) == "1\n"
    said = project.run(environment(version), "python", "-c", HANGS_UP, env=env, code=1)
    assert "BrokenPipeError: the mail server has hung up" in said
