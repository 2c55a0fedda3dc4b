"""How fast annotators can go round: submit a pair and get the next one, over HTTP, on the real web server.

1, 8 and 32 annotators on projects of 10,000 and 100,000 text pairs. The clients are a process of their own on the
same machine and keep logs; after each run every acknowledged judgment must stand in the database exactly once and
every invariant must hold, or there is no figure. Prints JSON.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from pairs import fill
from place import own_servers

SIZES = (10_000, 100_000)
ANNOTATORS = (1, 8, 32)


def log_in(slug: str, count: int) -> list[str]:
    """Session keys of `count` fresh members of the project."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from annotate.models import Membership, Project, Role, User

    project = Project.objects.get(slug=slug)
    keys = []
    for _ in range(count):
        user = User.objects.create_user(f"bench-{uuid4().hex[:12]}")
        Membership.objects.create(project=project, user=user, role=Role.ANNOTATOR)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        keys.append(str(session.session_key))
    return keys


class Annotator:
    """One simulated annotator: a connection kept open, a session, a log of what was acknowledged."""

    def __init__(self, port: int, slug: str, session: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {
            "Cookie": f"sessionid={session}; csrftoken={'x' * 32}",
            "X-CSRFToken": "x" * 32,
            "Content-Type": "application/json",
        }
        self.slug = slug
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.connection.request("POST", f"/api/v1/{path}", json.dumps(body), self.headers)
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {text[:300]!r}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def work(self, until: float) -> None:
        claim = self.post(f"projects/{self.slug}/claims/", {"id": str(uuid4())})
        while time.perf_counter() < until:
            answers = [
                {"id": str(uuid4()), "comparison": asked["id"], "verdict": "a", "strength": 2}
                for asked in claim["comparisons"]
            ]
            begun = time.perf_counter()
            reply = self.post(f"claims/{claim['id']}/submit/", {"answers": answers, "next": str(uuid4())})
            self.seconds.append(time.perf_counter() - begun)
            self.acknowledged += reply["saved"]
            claim = reply["next"]


def client(port: int, slug: str, seconds: float, sessions: list[str]) -> None:
    """The client process: prints loops, their times and the acknowledged ids."""
    annotators = [Annotator(port, slug, session) for session in sessions]
    begun = time.perf_counter()
    threads = [threading.Thread(target=a.work, args=(begun + seconds,)) for a in annotators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - begun,
                "times": sorted(t for a in annotators for t in a.seconds),
                "acknowledged": [i for a in annotators for i in a.acknowledged],
            }
        )
    )


def verify(slug: str, acknowledged: list[str]) -> None:
    """Exactly what was acknowledged is stored, once, and nothing breaks a rule."""
    from annotate.actions.jobs import unlimited_statements
    from annotate.integrity import violations
    from annotate.models import Judgment

    stored = {
        str(i) for i in Judgment.objects.filter(annotator__project__slug=slug).values_list("pk", flat=True)
    }
    if len(acknowledged) != len(set(acknowledged)) or set(acknowledged) != stored:
        sys.exit(f"{slug}: {len(acknowledged)} acknowledged, {len(stored)} stored")
    with unlimited_statements():
        if broken := violations():
            sys.exit(f"{slug}: {broken}")


def measure(port: int, slug: str, annotators: int, seconds: float, log: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--client", str(port), slug, str(seconds), *log_in(slug, annotators)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    log += result["acknowledged"]
    verify(slug, log)
    times = result["times"]
    return {
        "annotators": annotators,
        "loops": len(times),
        "loops_per_second": round(len(times) / result["seconds"], 1),
        "p50_ms": round(1000 * times[len(times) // 2], 1),
        "p95_ms": round(1000 * times[int(len(times) * 0.95)], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="pairs")
    parser.add_argument("--annotators", type=int, nargs="+", default=ANNOTATORS, metavar="N")
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    options = parser.parse_args()
    with own_servers():
        from django.conf import settings
        from django.db import connection

        from webapp.collect import collect_if_changed
        from webapp.local.supervisor import Child, Supervisor
        from webapp.management.commands.up import is_healthy, web_command

        collect_if_changed()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = web_command("127.0.0.1", port, workers=settings.WEB_WORKERS, threads=settings.WEB_THREADS)
        child = Child("web", command, Path(settings.DATA_DIR) / "log" / "web.log")
        supervisor = Supervisor(print)
        results = []
        try:
            supervisor.start(child)
            supervisor.until(lambda: is_healthy("127.0.0.1", port), child, 30)
            for size in options.sizes:
                slug, log = f"bench-{size}", list[str]()
                fill(slug, size, kept=False)
                measured = [measure(port, slug, n, options.seconds, log) for n in options.annotators]
                results.append({"pairs": size, "runs": measured, "verified_judgments": len(log)})
            with connection.cursor() as cursor:
                cursor.execute("SHOW server_version")
                version = cursor.fetchone()[0]
        finally:
            supervisor.stop()
        print(
            json.dumps(
                {"bench": "loop", "cpus": os.cpu_count(), "postgresql": version, "results": results}, indent=2
            )
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5:])
    else:
        main()
