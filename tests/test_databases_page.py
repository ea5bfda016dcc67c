"""The start page and the databases page in a browser: themes, widths, many tenants, and changes while one looks."""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import Baker
from tests.support import browser as browsers
from tests.support import commands
from tests.support.databases import NotInstalledError
from tests.support.environments import Environment
from tests.support.servers import Server, free_port
from tests.support.variants import DJANGO

SLUG = "aperture-science-labs"
MANY = """
import django
django.setup()
from databases.tenants.models import Tenant
names = [f"t{number}" for number in range(5000)]
Tenant.objects.bulk_create(Tenant(slug=name, host=name, database=name, status="active") for name in names)
"""
#: Bytes of the page with 5,000 tenants, of which it shows 50.
LIMIT = 40_000


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    try:
        with browsers.opened(tmp_path / "profile") as found:
            yield found
    except NotInstalledError as error:
        pytest.skip(str(error))


def waited(chromium: Chrome) -> WebDriverWait[Chrome]:
    return WebDriverWait(chromium, 60)


def test_the_page_in_a_browser(
    bake: Baker, environment: Callable[[str], Environment], chromium: Chrome, tmp_path: Path
) -> None:
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(secondary_database="mirror-and-writable", read_replicas="yes", tenant_databases="managed", **version)
    tools = environment(project.answers["django_version"])
    env = {"SECRET_KEY": "a-key-that-no-page-shows", "DEBUG": "on"}

    def manage(*words: str) -> str:
        return project.run(tools, "python", "manage.py", *words, env=env)

    manage("migrate_databases")
    manage("create_tenant", SLUG)
    with served(project.path, tools, env) as server:
        server.page("localhost", "/databases/")
        start = f"http://localhost:{server.port}/"
        address = f"{start}databases/"
        for page in (start, address):
            chromium.get(page)
            assert "mirror cannot be reached" not in chromium.page_source
            for theme in ("light", "dark"):
                for width in (360, 768, 1280):
                    browsers.look_like(chromium, width, theme)
                    chromium.save_screenshot(str(tmp_path / f"{theme}-{width}.png"))
                    assert browsers.barriers(chromium) == [], (page, theme, width)
                    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    assert chromium.execute_script(overflow) == 0, (page, theme, width)

        # The page changes by itself, and is not loaded again.
        chromium.execute_script("window.isTheSame = true")
        manage("suspend_tenant", SLUG)
        waited(chromium).until(lambda page: "1 suspended" in page.page_source)
        assert chromium.execute_script("return window.isTheSame")

        project.run(tools, "python", "-c", MANY, env={**env, "DJANGO_SETTINGS_MODULE": "config.settings"})
        text = server.page("localhost", "/databases/")
        assert "5,000 active" in text
        assert len(text.encode()) < LIMIT
        assert env["SECRET_KEY"] not in text
        chromium.get(address)
        assert browsers.barriers(chromium) == []
        # By the keyboard alone.
        search = chromium.find_element(By.ID, "q")
        for _ in range(20):
            if chromium.switch_to.active_element == search:
                break
            chromium.switch_to.active_element.send_keys(Keys.TAB)
        chromium.switch_to.active_element.send_keys("t4999", Keys.ENTER)
        waited(chromium).until(lambda page: "1 found" in page.page_source)
        loaded = "return performance.getEntriesByType('resource').map((each) => each.name)"
        for each in chromium.execute_script(loaded):
            assert each.startswith(f"http://localhost:{server.port}/"), each


@contextlib.contextmanager
def served(folder: Path, tools: Environment, env: dict[str, str]) -> Iterator[Server]:
    """Serve a project as in development."""
    port, log = free_port(), folder.parent / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [tools.python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=folder,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(process, port, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
