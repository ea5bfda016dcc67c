"""A headless Chromium, which is Debian's, and what axe-core finds wrong with a page."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_core_python
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.support.databases import NotInstalledError

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
#: Chromium's own requests to its maker would wait for a network that tests do not have.
OPTIONS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync", "hide-scrollbars"),
    *("disable-background-networking", "disable-component-update"),
)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Chrome]:
    """Within the block, a browser with a new profile in this folder. Raises `NotInstalledError`."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        raise NotInstalledError("tests of pages need a browser: install chromium and chromium-driver")
    options = ChromeOptions()
    options.binary_location = str(programs[0])
    for option in [*OPTIONS, f"user-data-dir={folder}"]:
        options.add_argument(f"--{option}")
    browser = Chrome(options, Service(programs[1]))
    try:
        yield browser
    finally:
        browser.quit()


def look_like(browser: Chrome, width: int, theme: str) -> None:
    """Give the page this width in CSS pixels and this theme, `light` or `dark`."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def barriers(browser: Chrome) -> list[Any]:
    """Return what keeps some people from using the page, such as weak contrast, as far as axe-core finds it."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found: Any = browser.execute_async_script("axe.run().then(arguments[0])")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
