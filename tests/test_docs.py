"""The documents say what is so: names, paths, settings and commands are those of the code, and the main job runs."""

import re
import shlex
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command, get_commands, load_command_class

from annotate.actions import queue
from annotate.actions.judging import Answer, submit
from annotate.models import Pair, Project
from tests.documents import code_blocks, make_targets, variables_read
from tests.factories import make_annotator
from tests.offline_datasets import load_dataset
from tests.paths import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
# For whoever changes Evenhand: spans of code that look like paths are paths.
FOR_DEVELOPERS = (ROOT, ROOT / "docs" / "inside")
README = (ROOT / "README.md").read_text()
NOT_SOURCES = {".git", ".venv", "node_modules", "data", "build"}
# What the reader has or gets, and this repository has not.
READERS = ("data/", "release/", "media_data/")


def code_of(text: str) -> list[str]:
    """Spans and lines of blocks that are code; a line that goes on in the next is one."""
    text = re.sub(r"\\\n\s*", " ", text)
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?m)^    (\S.*)$", text)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [
        *indented,
        *(line for block in blocks for line in block.splitlines()),
        *re.findall(r"`([^`]+)`", prose),
    ]


def files_here() -> list[str]:
    """Every file of ours and every folder (with a slash at its end), relative to the repository."""
    found = []
    for top in ROOT.iterdir():
        if top.name not in NOT_SOURCES:
            found += [path for path in (top, *top.rglob("*")) if "__pycache__" not in path.parts]
    return [f"{path.relative_to(ROOT)}/" if path.is_dir() else str(path.relative_to(ROOT)) for path in found]


def commands_of(text: str) -> list[list[str]]:
    """Arguments of every manage.py command in code, without what is only there to be replaced."""
    found = []
    for code in code_of(text):
        if match := re.search(r"manage\.py ([a-z_]+)(.*)", code):
            options = re.sub(r"\[.*?\]", "", match[2]).split("#")[0]
            found.append([match[1], *shlex.split(options)])
    return found


def test_the_table_of_settings_names_what_the_code_reads() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == variables_read()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_named_exists(document: Path) -> None:
    code = "\n".join(code_of(document.read_text()))
    assert set(re.findall(r"(?m)^make ([a-z-]+)", code)) <= make_targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_named_exists_and_takes_what_is_given(document: Path) -> None:
    known = get_commands()
    for name, *arguments in commands_of(document.read_text()):
        assert name in known, f"manage.py {name}"
        if arguments and "--help" not in arguments:
            app = known[name]
            command = load_command_class(app, name) if isinstance(app, str) else app
            parser = command.create_parser("manage.py", name)
            options = {word.split("=")[0] for word in arguments if word.startswith("--")}
            assert options <= set(parser._option_string_actions), f"manage.py {name} {arguments}"
            if not any(word.isupper() for word in arguments):  # such words stand for something else
                parser.parse_args(arguments)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_named_exists(document: Path) -> None:
    text, here = document.read_text(), files_here()
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (document.parent / link).exists(), link
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`\s]+)`", prose):
        if document.parent in FOR_DEVELOPERS and re.fullmatch(
            r"[\w./-]+(/|\.(py|m?js|md|yml|sh|png|example|lock|in))", span
        ):
            if span.startswith((*READERS, ".", "/")):
                continue
            assert any(path == span or path.endswith(f"/{span}") for path in here), span


@pytest.mark.django_db(transaction=True)
def test_the_main_job_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = README.partition("## From pairs to a benchmark")[2].partition("\n## ")[0]
    commands = [command for block in code_blocks(job, "sh") for command in commands_of(f"```sh\n{block}```")]
    imported, agreement, export = (command for command in commands if "first" in command)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)

    call_command(*imported, stdout=StringIO())
    project = Project.objects.get(slug="first")
    annotator = make_annotator(project)
    judged = 0
    while claim := queue.claim_next(annotator=annotator, claim_id=uuid4()):
        answers = [
            Answer(id=uuid4(), comparison=one, verdict="a", strength=2) for one in claim.comparison_ids
        ]
        submit(annotator=annotator, claim_id=claim.pk, answers=answers)
        judged += len(answers)
    said = StringIO()
    call_command(*agreement, stdout=said)
    assert f"{judged}" in said.getvalue().splitlines()[1].split()
    call_command(*export, stdout=StringIO())

    monkeypatch.setattr("datasets.load_dataset", partial(load_dataset, cache_dir=str(tmp_path / "cache")))
    names: dict[str, Any] = {}
    (program,) = code_blocks(job, "python")
    exec(program, names)
    assert len(names["rows"]) == judged == 2 * Pair.objects.count()
    assert set(names["rows"]["criteria_preference"]) <= {"response1", "response2"}
