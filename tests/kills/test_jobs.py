"""kill -9 of PostgreSQL at random instants of an import and a release: given again, the commands end in the same."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.exports.test_killed import hashes
from tests.imports.reading import labels, row, write_lines
from tests.killing import KILLS, Commander, commander
from tests.kills.test_kills import shell
from tests.test_local_servers import answers, data_dir, eventually, postmaster
from webapp.local.servers import Servers

__all__ = ["data_dir"]  # a fixture

SEEN = """
import json
from annotate.integrity import violations
from annotate.models import AuditEntry, Job, Project
from tests.imports.reading import content
project = Project.objects.get(slug={slug!r})
# A command that was killed once all was done, and given again, finds nothing to do by a job of its own.
jobs = sorted(set(Job.objects.filter(project=project).values_list("kind", "state")))
imports = AuditEntry.objects.filter(project=project, deed="import pairs").exists()
print("SEEN", json.dumps([violations(), jobs, imports, content(project)], default=str, sort_keys=True))
"""
PREPARE = """
from annotate.models import Project
from django.core.management import call_command
call_command("migrate", verbosity=0)
for n in range({projects}):
    Project.objects.create(slug=f"p{{n}}", name=f"p{{n}}", task_type="text_to_text", salt="same", pseudonym_key="5a" * 32)
print("READY []")
"""


@dataclass
class Database:
    """A server of this test's own, and commands that work on it."""

    data_dir: Path
    environ: dict[str, str]
    commander: Commander
    chance: random.Random
    killed: int = 0
    doomed: list[psutil.Process] = field(default_factory=list)  # the processes that the last kill ends

    def run_with_kills(self, *command: str, within: float) -> int:
        """Give the command until it has done its work, PostgreSQL being killed beside it. Returns how many kills it felt."""
        felt = 0
        for _ in range(3):
            timer = threading.Timer(self.chance.uniform(0, within), self._kill)
            timer.start()
            self.doomed = []
            status = self.commander.run(*command)
            timer.join()
            psutil.wait_procs(self.doomed, timeout=30)  # only then has the server noticed
            assert eventually(lambda: answers(self.environ), 60)
            if status == 0:
                break
            felt += 1
        assert status == 0 or self.commander.run(*command) == 0
        return felt

    def _kill(self) -> None:
        """The postmaster, or one of its processes: then it ends all the others and recovers."""
        server = psutil.Process(postmaster(self.data_dir))
        self.doomed = server.children()
        victim = self.chance.choice([server, *self.doomed])
        try:
            victim.send_signal(signal.SIGKILL)
            self.killed += 1
        except psutil.NoSuchProcess:
            pass


@pytest.fixture
def database(data_dir: Path, tmp_path: Path) -> Iterator[Database]:
    ours = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    ours |= {"DATA_DIR": str(data_dir)}
    servers = Servers(data_dir, ours)
    try:
        shell(ours, PREPARE.format(projects=KILLS + 10), "READY")
        with commander(ours, tmp_path / "commands.log") as given:
            yield Database(data_dir, ours, given, random.Random(23))
    finally:
        servers.release()


@pytest.mark.timeout(900)
def test_the_database_is_killed_under_imports_and_releases(database: Database, tmp_path: Path) -> None:
    rows = [
        row(n, criteria=[{"text": f"Criterion {n % 3}", "judgments": labels("response1", "tie")}])
        for n in range(600)
    ]
    path = str(write_lines(tmp_path / "p.jsonl", rows))
    begun = time.monotonic()
    assert database.commander.run("import_pairs", path, "--project", "p0") == 0
    importing = time.monotonic() - begun
    begun = time.monotonic()
    assert database.commander.run(*export("p0", tmp_path / "p0")) == 0
    exporting = time.monotonic() - begun
    whole = shell(database.environ, SEEN.format(slug="p0"), "SEEN")
    felt = {"import": 0, "export": 0}
    n = 0
    while database.killed < KILLS or not all(felt.values()):
        n += 1
        slug, out = f"p{n}", tmp_path / f"p{n}"
        felt["import"] += database.run_with_kills("import_pairs", path, "--project", slug, within=importing)
        felt["export"] += database.run_with_kills(*export(slug, out), within=exporting)
        assert shell(database.environ, SEEN.format(slug=slug), "SEEN") == whole
        release = json.loads((out / "MANIFEST.json").read_text())["release"]
        again = tmp_path / f"again{n}"
        assert (
            database.commander.run(
                "export_bench", "--project", slug, "--out", str(again), "--release", release
            )
            == 0
        )
        assert hashes(out) == hashes(again)


def export(slug: str, out: Path) -> tuple[str, ...]:
    return ("export_bench", "--project", slug, "--out", str(out), "--min-labels", "1")
