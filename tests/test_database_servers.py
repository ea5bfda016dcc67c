"""The servers that other tests run on: processes share one by its folder, and a missing one is named."""

from pathlib import Path

import pytest

from tests.support.databases import DatabaseServer, NotInstalledError, programs


@pytest.mark.parametrize("fixture", ["postgres", "system_postgres", "mariadb"])
def test_objects_of_the_same_folder_share_the_server(
    request: pytest.FixtureRequest, shared: Path, worker_id: str, fixture: str
) -> None:
    server: DatabaseServer = request.getfixturevalue(fixture)
    name = f"{worker_id} named 'badly' \"here\""
    assert server.create(name) == server.url(name)
    server.execute("CREATE TABLE apples (id INTEGER)", name)
    server.execute("INSERT INTO apples VALUES (7)", name)
    other = type(server)(shared / type(server).__name__)
    other.start()
    assert other.url(name) == server.url(name)
    assert other.tables(name) == ["apples"]
    assert other.execute("SELECT id FROM apples", name) == [(7,)]
    assert other.url_for_tests(name) != other.url(name)


def test_a_missing_server_is_named_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match=r"no-such-server.*: apt install some-package"):
        programs("some-package", tmp_path, "sh", "no-such-server")
