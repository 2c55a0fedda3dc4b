"""`manage.py up`: all of Evenhand on one machine, until Ctrl-C."""

import http.client
import secrets
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError as BrokerError

from annotate.actions.demo import is_due, start_demo
from webapp.collect import collect_if_changed
from webapp.local import servers
from webapp.local.process import Lock, ServerError
from webapp.local.supervisor import Child, Supervisor

# name -> (queues, processes): a long export never keeps the short tasks waiting.
WORKERS = {"tasks": ("default,media", 2), "exports": ("export,learn,gpu", 1)}
START_LIMIT = 30.0


class Command(BaseCommand):
    help = "Start PostgreSQL, Redis, the web server and the workers, and look after them until Ctrl-C"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="ask the health page, print the times and stop"
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        supervisor = Supervisor(self.say)
        times = Times()
        try:
            times.add("PostgreSQL, Redis and Django")
            with self.alone():
                self.check_port()
                password = self.prepare(times)
                self.start(supervisor, times, wait_for_workers=check)
                self.greet(password, demo=settings.DEMO and not check and self.make_demo())
                if check:
                    self.say(times.table())
                    return
                while True:
                    supervisor.look()
                    servers.heal()
                    time.sleep(0.2)
        except KeyboardInterrupt:
            self.say("Stopping ...")
        finally:
            supervisor.stop()

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def alone(self) -> Lock:
        """The lock that one `up` holds for a DATA_DIR."""
        run = Path(settings.DATA_DIR) / "run"
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(run / "up")
        if not lock.try_exclusive():
            raise ServerError(
                f"Evenhand runs already on {settings.DATA_DIR}: stop it, or set another DATA_DIR and PORT"
            )
        return lock

    def check_port(self) -> None:
        """ServerError if somebody listens there. The web server of a killed `up` gets a moment to end."""
        deadline = time.monotonic() + 2
        while True:
            try:
                family, kind, *_, address = socket.getaddrinfo(
                    settings.HOST, settings.PORT, type=socket.SOCK_STREAM
                )[0]
                with socket.socket(family, kind) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"cannot listen on {settings.HOST} port {settings.PORT} ({error.strerror}): "
                        "choose another with PORT=... or stop what uses it"
                    ) from error
                time.sleep(0.1)

    def prepare(self, times: "Times") -> str | None:
        """Database, static files and first account; the account's password if it was made now."""
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
        times.add(f"migrations ({missing} applied)")
        changed = collect_if_changed()
        times.add(f"static files ({'collected' if changed else 'unchanged'})")
        servers.ask_redis(settings.REDIS_URL)  # without it the workers would wait for it in silence
        accounts = get_user_model().objects
        password = None
        if not accounts.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            accounts.create_superuser("admin", password=password)
        connections.close_all()
        return password

    def start(self, supervisor: Supervisor, times: "Times", *, wait_for_workers: bool) -> None:
        """The web server first: people wait for it."""
        log = Path(settings.DATA_DIR) / "log"
        log.mkdir(mode=0o700, exist_ok=True)
        host, port = settings.HOST, settings.PORT
        command = web_command(host, port, workers=settings.WEB_WORKERS, threads=settings.WEB_THREADS)
        web = Child("web", command, log / "web.log")
        supervisor.start(web)
        supervisor.until(lambda: is_healthy(host, port), web, START_LIMIT)
        times.add("web server, until /health answers")
        workers = [Child(name, worker_command(name), log / f"{name}.log") for name in WORKERS]
        for child in [*workers, Child("beat", beat_command(), log / "beat.log")]:
            supervisor.start(child)
        if wait_for_workers:
            for child in workers:
                supervisor.until(lambda name=child.name: answers(name), child, START_LIMIT)  # type: ignore[misc]
            times.add("workers, until they answer")

    def make_demo(self) -> bool:
        """On an installation that is new, have the demo made by the workers: nobody waits for it. True if so."""
        due = is_due()
        if due:
            start_demo(by=None)
        connections.close_all()
        return due

    def greet(self, password: str | None, *, demo: bool) -> None:
        host = reachable(settings.HOST)
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}/"
        self.say(
            f"Evenhand runs at {url} (Django admin: {url}admin/); data and logs are in {settings.DATA_DIR}."
        )
        if password:
            self.say(f"An account was made: log in as admin with password {password} (shown this once).")
        if demo:
            self.say("A demo project is being made; its pairs appear within a minute. DEMO=0 leaves it out.")
        self.say("Ctrl-C ends it.")


class Times:
    """How long each part of the start took."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, float, float]] = []
        self._last = servers.begun or time.monotonic()
        self._begun = self._last

    def add(self, part: str) -> None:
        now = time.monotonic()
        self._parts.append((part, now - self._last, now - self._begun))
        self._last = now

    def table(self) -> str:
        """Of each part what it took, and how long after the beginning it was done."""
        lines = [f"{took:6.2f} s  {since:6.2f} s  {part}" for part, took, since in self._parts]
        return "\n".join(["    took     after", *lines])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def web_command(host: str, port: int, *, workers: int, threads: int) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "webapp.wsgi:application", "--interface", "wsgi"),
        *("--host", host, "--port", str(port), "--workers", str(workers), "--blocking-threads", str(threads)),
        *("--http", "1", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "5"),
    ]


def celery_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "workers.celery", *arguments, "--loglevel", "INFO"]


def worker_command(name: str) -> list[str]:
    """Workers share this machine's cores with the web server, and give way to it: nobody waits for a page."""
    queues, processes = WORKERS[name]
    options = ("--queues", queues, "--concurrency", str(processes), "--hostname", f"{name}@%h")
    return ["nice", "-n", "10", *celery_command("worker", *options, "--without-gossip", "--without-mingle")]


def beat_command() -> list[str]:
    return celery_command("beat", "--pidfile=", "--schedule", str(Path(settings.DATA_DIR) / "run" / "beat"))


def reachable(host: str) -> str:
    """The address at which a server that listens on `host` can be asked from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def is_healthy(host: str, port: int) -> bool:
    allowed = next((host for host in settings.ALLOWED_HOSTS if host != "*"), "localhost").removeprefix(".")
    try:
        asked = http.client.HTTPConnection(reachable(host), port, timeout=5)
        asked.request("GET", "/health", headers={"Host": allowed})
        return asked.getresponse().status == 200
    except OSError:
        return False


def answers(worker: str) -> bool:
    from workers.celery import app

    try:
        replies = app.control.ping(timeout=0.3)
    except (OSError, BrokerError):
        return False
    return any(name.startswith(f"{worker}@") for reply in replies for name in reply)
