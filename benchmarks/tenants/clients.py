"""Clients that request pages of tenants from a web server, several at a time and as fast as it answers."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

CLIENTS = 8
Draw = Callable[[], int]
#: Without the session that counts.
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def uniform(chance: random.Random, tenants: int) -> Draw:
    """Return a function that draws tenants, each equally often."""
    return lambda: chance.randrange(tenants)


def zipf(chance: random.Random, tenants: int) -> Draw:
    """Return a function that draws the second tenant half as often as the first, the third a third as often, etc."""
    weights = [1 / (rank + 1) for rank in range(tenants)]
    # Many at a time, because each call sums the weights.
    drawn: list[int] = []

    def draw() -> int:
        if not drawn:
            drawn.extend(chance.choices(range(tenants), weights, k=10_000))
        return drawn.pop()

    return draw


TRAFFIC: dict[str, Callable[[random.Random, int], Draw]] = {"uniform": uniform, "Zipf": zipf}


def page(port: int, number: int) -> None:
    """Request the page of a tenant. Raises AssertionError for any other answer, and OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: t-{number}.example.com\r\nConnection: close\r\n\r\n".encode())
        parts = []
        while part := connection.recv(4096):
            parts.append(part)
    text = b"".join(parts)
    # The answer is chunked, so a line end follows the page.
    assert text.startswith(b"HTTP/1.1 200"), text
    assert f"\nt-{number} mark-{number}\r\n".encode() in text, (number, text)


def wait(port: int) -> None:
    """Wait until the server accepts connections."""
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise AssertionError("The server does not answer.")


def ask(port: int, draw: Draw, count: int) -> None:
    """Request a number of pages."""
    left = iter(range(count))
    _at_once(lambda: next(left, None) is not None, port, draw)


def rate(port: int, draw: Draw, seconds: float) -> float:
    """Request pages for some seconds, and return the rate per second."""
    began = time.monotonic()
    asked = _at_once(lambda: time.monotonic() < began + seconds, port, draw)
    return asked / (time.monotonic() - began)


def _at_once(goes_on: Callable[[], bool], port: int, draw: Draw) -> int:
    """Let all clients request pages while `goes_on()`, and return the number of pages. Raises what a client raised."""
    lock = threading.Lock()
    done: list[int] = []
    errors: list[Exception] = []

    def work() -> None:
        asked = 0
        try:
            while not errors:
                with lock:
                    number = draw() if goes_on() else None
                if number is None:
                    break
                page(port, number)
                asked += 1
        except (AssertionError, OSError) as error:
            errors.append(error)
        done.append(asked)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(done)


@contextlib.contextmanager
def sessions(url: str) -> Iterator[list[int]]:
    """Within the block, count the sessions at the database server twice a second."""
    ended = threading.Event()
    counts: list[int] = []

    def count() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not counts or not ended.wait(0.5):
                row = connection.execute(COUNT).fetchone()
                counts.append(row[0] if row else 0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()
