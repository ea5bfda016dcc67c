"""Processes of `migrate_tenants --jobs` end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

from django.test import SimpleTestCase

#: Starts a process, prints its id, and waits for it.
PARENT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from databases.tenants.managed.processes import begin

with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


class ProcessTests(SimpleTestCase):
    def test_a_process_ends_after_its_parent_was_killed(self):
        parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
        self.addCleanup(parent.kill)
        child = int(parent.stdout.readline())
        self.addCleanup(self.end, child)
        parent.send_signal(signal.SIGKILL)
        # Its end of the pipe closes when it ends.
        rest, _ = parent.communicate(timeout=20)
        self.assertEqual((rest, parent.returncode), ("", -signal.SIGKILL))

    def end(self, child: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
