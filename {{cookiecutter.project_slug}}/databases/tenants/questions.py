"""Questions to the registry, which a thread of its own asks. Whoever waits for an answer can stop waiting."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from django.conf import settings
from django.db import Error, InterfaceError, connections

from databases.availability import is_outage
from databases.tenants.context import TenantUnavailableError
from databases.tenants.registry import Key

logger = logging.getLogger(__name__)

#: Seconds between two attempts to ask a registry that is down or hangs.
RETRY_SECONDS = 2
#: The name of the thread that asks.
THREAD = "registry-of-tenants"


class RegistryDownError(TenantUnavailableError):
    """The registry's database is down or hangs, and this process does not know the requested tenant."""


class Questions:
    """Asks by a function that takes keys, and stores what it finds. Any thread may call its methods."""

    def __init__(self, answer: Callable[[list[Key]], None]) -> None:
        self._answer = answer
        self.start()

    def start(self) -> None:
        """Begin without questions. A forked process has no thread that would answer the parent's."""
        self._lock = threading.Lock()
        self._open: dict[Key, Future[None]] = {}
        self._asks_since: float | None = None
        self._next_attempt = 0.0
        self._is_down = False

    def ask(self, key: Key) -> Exception | None:
        """Have a key asked, wait for `TENANT_REGISTRY_SECONDS` at most, and return why that failed, or `None`."""
        seconds = settings.TENANT_REGISTRY_SECONDS
        with self._lock:
            now = time.monotonic()
            hangs = self._asks_since is not None and seconds and now > self._asks_since + seconds
            if hangs or now < self._next_attempt:
                return _down(key)
            if seconds:
                question = self._open.setdefault(key, Future())
                if self._asks_since is None:
                    threading.Thread(target=self._work, name=THREAD, daemon=True).start()
                    # Not before: a thread that cannot start would count as a registry that hangs, for ever.
                    self._asks_since = now
        if not seconds:
            # In tests, whose rows are in a transaction of this thread.
            return self._ask([key])
        try:
            return question.exception(seconds)  # type: ignore[return-value]
        except FutureTimeoutError:
            self._note_outage("it does not answer")
            return _down(key)

    def forget(self) -> None:
        """Let later questions be asked again: what is being asked may be answered with old rows."""
        with self._lock:
            self._open = {key: each for key, each in self._open.items() if not each.running()}

    def _work(self) -> None:
        """Ask until there are no questions. Runs in the thread of its own."""
        try:
            while True:
                with self._lock:
                    asked = {key: each for key, each in self._open.items() if not each.running()}
                    self._asks_since = time.monotonic() if asked else None
                    if not asked:
                        return
                    for each in asked.values():
                        each.set_running_or_notify_cancel()
                error = self._ask(list(asked))
                with self._lock:
                    self._open = {key: each for key, each in self._open.items() if asked.get(key) is not each}
                for each in asked.values():
                    each.set_exception(error) if error else each.set_result(None)
        except BaseException:
            # The same if it ends by an error, for example of a handler of the log.
            with self._lock:
                self._open, self._asks_since = {}, None
            raise
        finally:
            connections.close_all()

    def _ask(self, keys: list[Key]) -> Exception | None:
        try:
            self._answer(keys)
        except Exception as error:
            if not isinstance(error, InterfaceError) and not (isinstance(error, Error) and is_outage(error.__cause__)):
                return error
            # Only the class: messages of drivers contain the address, and some the user.
            self._note_outage(type(error).__name__)
            return _down(keys[0])
        with self._lock:
            self._is_down, self._next_attempt = False, 0.0
        return None

    def _note_outage(self, reason: str) -> None:
        with self._lock:
            begins, self._is_down = not self._is_down, True
            self._next_attempt = time.monotonic() + RETRY_SECONDS
        if begins:
            logger.warning("The registry of tenants is unavailable (%s): known tenants are still served", reason)


def _down(key: Key) -> RegistryDownError:
    return RegistryDownError(
        f"This process does not know the tenant with the {key[0]} {key[1]!r}, and the database of the registry, the "
        "primary, is down: check its server."
    )
