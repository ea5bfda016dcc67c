"""The lines that the project's log handler writes, in a test."""

from __future__ import annotations

import io
import logging
import logging.config
from typing import Any

from databases.logs import log_settings


def console_of(style: str, **filters: str) -> tuple[Any, io.StringIO]:
    """Return the console's handler, as `LOGGING` describes it, and the stream that it writes to."""
    shipped = logging.config.DictConfigurator(log_settings(style, **filters))
    for kind, make in (("filters", shipped.configure_filter), ("formatters", shipped.configure_formatter)):
        shipped.config[kind] = {name: make(config) for name, config in shipped.config[kind].items()}
    handler: Any = shipped.configure_handler(shipped.config["handlers"]["console"])
    handler.setStream(lines := io.StringIO())
    return handler, lines
