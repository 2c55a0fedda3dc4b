"""How fast annotators can go round: submit a pair and get the next one, over HTTP, on the real web server.

1, 8 and 32 annotators on projects of 10,000 and 100,000 text pairs, with the rate in the largest as a share of that
in the smallest: one that searched or counted would fall with the pairs. The clients are a process of their own on the
same machine and keep logs; after each run every acknowledged judgment must stand in the database exactly once and
every invariant must hold, or there is no figure. Beside loops a second, which follow the machine's mood, it tells the
processor time that a loop takes of the web server, PostgreSQL and the clients. Prints JSON.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from pairs import fill, random_embeddings
from place import own_servers, postmaster, processor_seconds, web_server

SIZES = (10_000, 100_000)
ANNOTATORS = (1, 8, 32)


def log_in(slug: str, count: int) -> list[str]:
    """Session keys of `count` fresh members of the project."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from annotate.models import Membership, Project, Role, User
    from webapp.sessions import SessionStore

    project = Project.objects.get(slug=slug)
    keys = []
    for _ in range(count):
        user = User.objects.create_user(f"bench-{uuid4().hex[:12]}")
        Membership.objects.create(project=project, user=user, role=Role.ANNOTATOR, own_role=Role.ANNOTATOR)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "webapp.sessions.Accounts"
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
                "processor_seconds": time.process_time(),
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


def measure(
    port: int, slug: str, annotators: int, seconds: float, log: list[str], servers: dict[str, psutil.Process]
) -> dict[str, Any]:
    command = [sys.executable, __file__, "--client", str(port), slug, str(seconds), *log_in(slug, annotators)]
    before = {name: processor_seconds(process) for name, process in servers.items()}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(done.stderr)
    used = {name: processor_seconds(process) - before[name] for name, process in servers.items()}
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
        "processor_ms_per_loop": {
            name: round(1000 * spent / len(times), 2)
            for name, spent in {**used, "clients": result["processor_seconds"]}.items()
        },
    }


def measure_learning(
    port: int, slug: str, annotators: int, seconds: float, log: list[str], servers: dict[str, psutil.Process]
) -> dict[str, Any]:
    """The same people on the same project while its loop trains, scores and draws without a rest, then without it."""
    from annotate.models import Draw, Project, Revision, Score
    from webapp.local.supervisor import Supervisor
    from webapp.management.commands.up import WORKERS, answers

    random_embeddings()
    project = Project.objects.get(slug=slug)
    Project.objects.filter(pk=project.pk).update(refit_judgments=20, refit_seconds=10)
    loop = Supervisor(lambda said: print(said, file=sys.stderr))
    children = loop_processes()
    scored = Revision.objects.filter(project=project, scored_at__isnull=False)
    try:
        for child in children:
            loop.start(child)
        for child in children[: len(WORKERS)]:
            loop.until(lambda name=child.name: answers(name), child, 120)  # type: ignore[misc]
        measure(port, slug, annotators, seconds, log, servers)  # something to learn from
        loop.until(scored.exists, children[0], 600)
        before = (
            Revision.objects.count(),
            Score.objects.count(),
            Draw.objects.filter(route="policy").count(),
        )
        learning = measure(port, slug, annotators, seconds, log, servers)
        after = (Revision.objects.count(), Score.objects.count(), Draw.objects.filter(route="policy").count())
    finally:
        loop.stop()
    without = measure(port, slug, annotators, seconds, log, servers)
    done = dict(zip(("trained", "scored", "drawn by policy"), map(int.__sub__, after, before), strict=True))
    return {
        "learning": learning | {"meanwhile": done},
        "without": without,
        "ratio": round(learning["loops_per_second"] / without["loops_per_second"], 2),
    }


def loop_processes() -> list[Any]:
    """Workers and beat, as on one machine: the workers first."""
    from django.conf import settings

    from webapp.local.supervisor import Child
    from webapp.management.commands.up import WORKERS, beat_command, worker_command

    folder = Path(settings.DATA_DIR) / "log"
    workers = [Child(name, worker_command(name), folder / f"{name}.log") for name in WORKERS]
    return [*workers, Child("beat", beat_command(), folder / "beat.log")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="pairs")
    parser.add_argument("--annotators", type=int, nargs="+", default=ANNOTATORS, metavar="N")
    parser.add_argument("--seconds", type=float, default=10, help="of each run")
    parser.add_argument(
        "--learning",
        action="store_true",
        help="the rate while the learning loop runs, beside that without it",
    )
    options = parser.parse_args()
    with own_servers():
        from django.conf import settings
        from django.db import connection

        results = []
        with web_server(workers=settings.WEB_WORKERS) as (port, web):
            servers = {"web": web, "postgresql": postmaster()}
            for size in options.sizes:
                slug, log = f"bench-{size}", list[str]()
                fill(slug, size, kept=False)
                one = measure_learning if options.learning else measure
                measured = [one(port, slug, n, options.seconds, log, servers) for n in options.annotators]
                results.append({"pairs": size, "runs": measured, "verified_judgments": len(log)})
            with connection.cursor() as cursor:
                cursor.execute("SHOW server_version")
                version = cursor.fetchone()[0]
        figures = {"bench": "loop", "cpus": os.cpu_count(), "postgresql": version, "results": results}
        if len(results) > 1 and not options.learning:
            rates = [
                [run["loops_per_second"] for run in result["runs"]] for result in (results[0], results[-1])
            ]
            ratios = [round(last / first, 2) for first, last in zip(*rates, strict=True)]
            figures["largest_against_smallest"] = dict(zip(options.annotators, ratios, strict=True))
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5:])
    else:
        main()
