"""Real streaming replication: standbys that follow a server, and that tests may pause, stop and promote."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.own_postgres import OwnPostgres, running, wait_until
from tests.support.postgres import ADMINISTRATOR, SETTINGS

POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
REPLAYED = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"
PAUSED = "SELECT pg_get_wal_replay_pause_state()"
# Without it standbys receive a commit with the next write of the log, up to 0.6 s later: an unwanted lag.
AT_ONCE = f"{SETTINGS}synchronous_commit = on\n"


def copied(primary: OwnPostgres, folder: Path) -> "Standby":
    """Copy a server's files into a new folder, and start a server there that follows the first one."""
    folder.mkdir(mode=0o700)
    bin_path, user = primary.server.programs
    if user:
        shutil.chown(folder, user, user)
    copy = subprocess.run(
        [
            bin_path / "pg_basebackup",
            *("--pgdata", folder, "--host", primary.folder, "--username", ADMINISTRATOR),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        ],
        user=user,
        group=user,
        extra_groups=user and [],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert copy.returncode == 0, copy.stdout
    # These files say which processes use the other server.
    for name in (".handle_pids.json", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)
    named(folder)
    standby = Standby(folder)
    standby.start()
    return standby


def named(folder: Path) -> str:
    """Return settings that let a server tell the name of its folder. A copy gets them in place of the original's."""
    settings = f"cluster_name = '{folder.name}'\n"
    if (folder / "postgresql.conf").exists():
        with (folder / "postgresql.conf").open("a") as file:
            file.write(settings)
    return settings


class Standby(OwnPostgres):
    """A server that follows another one."""

    def lag(self, milliseconds: int) -> None:
        """Apply each commit this much later than the primary did."""
        self.server.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}")
        self.server.execute("SELECT pg_reload_conf()")

    def follow(self, other: OwnPostgres | None) -> None:
        """Follow another server from now on, or none."""
        target = f"user={ADMINISTRATOR} host={other.folder}" if other else ""
        self.server.execute(f"ALTER SYSTEM SET primary_conninfo = '{target}'")
        self.server.execute("SELECT pg_reload_conf()")

    def pause(self) -> None:
        """Pause replay, which makes the standby lag."""
        self.server.execute("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.server.execute(PAUSED) == [("paused",)])

    def resume(self) -> None:
        """Resume replay."""
        self.server.execute("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Stop following, and accept writes."""
        self.server.execute("SELECT pg_promote()")

    def catch_up(self, primary: OwnPostgres) -> None:
        """Wait until it has all that the primary has now."""
        ((goal,),) = primary.server.execute(POSITION)
        wait_until(lambda: int(str(self.server.execute(REPLAYED)[0][0])) >= int(str(goal)))


@contextlib.contextmanager
def replicated(standbys: int) -> Iterator[tuple[OwnPostgres, list[Standby]]]:
    """Start a primary and standbys. Each server's folder is named like the alias of its database."""
    with contextlib.ExitStack() as stack:
        # Not in pytest's folder: every start of pytest makes that one unreadable for other users.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        primary = stack.enter_context(running(folder / "default", AT_ONCE + named(folder / "default")))
        made = []
        for number in range(1, standbys + 1):
            standby = copied(primary, folder / ("replica" if number == 1 else f"replica_{number}"))
            stack.callback(standby.end)
            made.append(standby)
        yield primary, made
