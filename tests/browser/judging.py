"""A project to judge in, and the judge page driven as an annotator drives it."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from annotate.modalities import HOUSES, Kind
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import Asset, Claim, Derivative, Judgment, Modality, Pair, Project, User
from tests.browser.conftest import PATIENCE
from tests.factories import make_asset, make_comparison, make_member, make_pair, make_project

CLARITY = "The answer is easy to follow."
TRUTH = "The answer keeps every fact of the prompt."


def comes_true(page: Page, question: str, arg: Any = None) -> None:
    """Waits for what a script asks and answers by a promise, which `wait_for_function` would take for a yes."""
    until = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(question, arg):
        assert time.monotonic() < until, question
        page.wait_for_timeout(50)


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (320, 240)) -> bytes:
    """A PNG of one colour: which response is shown where can be told from a pixel of it."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def make_image(project: Project, content: bytes, **fields: Any) -> Asset:
    """An image asset with the renditions that an import makes."""
    asset = make_asset(project, content, **fields)
    for kind in ("web", "thumb") if not asset.derivatives.exists() else ():
        key = default_storage.save(f"derivatives/{uuid4().hex}", ContentFile(content))
        Derivative.objects.create(asset=asset, kind=kind, media_type="image/png", size=len(content), key=key)
    return asset


@cache
def _made_of(content: bytes) -> tuple[dict[str, Any], list[tuple[str, str, bytes]]]:
    """The probe of a PNG, and (kind, media type, content) of all that is made of it."""
    with MediaSandbox(1) as sandbox, TemporaryFile() as file:
        file.write(content)
        file.flush()
        kind = Kind(Modality.IMAGE, "image/png", "png")
        made = sandbox.examine(Request(file, kind, HOUSES[Modality.IMAGE].KINDS))
    found = []
    for one in made.renditions:
        with one.file as file:
            found.append((one.kind, one.media_type, file.read()))
    return made.probe, found


def make_large(project: Project, content: bytes) -> Asset:
    """An image asset, of a PNG, with all that is made of it, tiles too."""
    probe, made = _made_of(content)
    asset = make_asset(project, content, probe=probe)
    for kind, media_type, data in made:
        key = default_storage.save(f"derivatives/{uuid4().hex}", ContentFile(data))
        Derivative.objects.create(asset=asset, kind=kind, media_type=media_type, size=len(data), key=key)
    return asset


def text_pair(project: Project, *criteria: str, **fields: Any) -> Pair:
    pair = make_pair(
        project, **{"response1": "The **first** answer.", "response2": "The *second* answer.", **fields}
    )
    for criterion in criteria or (CLARITY, TRUTH):
        make_comparison(pair, criterion)
    return pair


def image_pair(project: Project, *criteria: str, **fields: Any) -> Pair:
    red, green = picture((200, 30, 30)), picture((30, 160, 60))
    pair = make_pair(
        project,
        response1=make_image(project, red),
        response2=make_image(project, green),
        task_type="text_to_image",
        **fields,
    )
    for criterion in criteria or (CLARITY, TRUTH):
        make_comparison(pair, criterion)
    return pair


def judge_project(pairs: int = 3, **fields: Any) -> Project:
    """A project with text pairs of two criteria each."""
    project = make_project(
        **{"name": "Kitchen robots", "guidelines": "# How to judge\n\nRead both.", **fields}
    )
    for _ in range(pairs):
        text_pair(project)
    return project


@dataclass
class JudgePage:
    page: Page
    project: Project

    def open(self) -> "JudgePage":
        self.page.goto(f"/judge/{self.project.slug}/")
        return self.ready()

    def ready(self) -> "JudgePage":
        """A pair is on screen."""
        expect(self.page.locator("#work")).to_be_visible()
        expect(self.question).to_be_visible()
        return self

    @property
    def question(self) -> Locator:
        return self.page.locator(".now .question p")

    @property
    def lines(self) -> Locator:
        """The criteria that are folded."""
        return self.page.locator(".dock .line")

    @property
    def state(self) -> Locator:
        return self.page.locator("#state")

    @property
    def hint(self) -> Locator:
        return self.page.locator("#hint")

    @property
    def prompt(self) -> str:
        return self.page.locator("#prompt .asked p").last.inner_text()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def submit(self) -> None:
        """Submits by Enter; returns when the next pair is on screen or there is none."""
        before = self.prompt
        self.press("Enter")
        self.page.wait_for_function(
            """before => {
              const work = document.getElementById("work");
              if (work.hidden) return !document.getElementById("blank").innerText.startsWith("Fetching");
              const prompt = [...document.querySelectorAll("#prompt .asked p")].at(-1).innerText;
              return !work.inert && prompt !== before;
            }""",
            arg=before,
        )

    def look_again(self) -> "JudgePage":
        """Asks for what has come meanwhile; the page's own asking may be faster, and the button gone."""
        self.page.evaluate("() => document.querySelector('#blank button')?.click()")
        return self.ready()

    def saved(self) -> None:
        """Everything has reached the server."""
        expect(self.state).to_have_text("Saved")


def opened_pair(
    page: Page,
    project: Project,
    sign_in: Callable[[User], None],
    first: Asset,
    second: Asset,
    *,
    task_type: str,
) -> JudgePage:
    """A pair of these responses, asked under one criterion, on the page of a new annotator."""
    pair = make_pair(project, response1=first, response2=second, task_type=task_type)
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    return JudgePage(page, project).open()


def heads(pair: Pair) -> dict[str, Judgment]:
    """The newest judgment on each criterion of a pair that one annotator judged."""
    rows = Judgment.objects.filter(comparison__pair=pair, superseded_by__isnull=True)
    return {row.comparison.criterion.text: row for row in rows.select_related("comparison__criterion")}


def claim_of(pair: Pair) -> Claim:
    return Claim.objects.get(pair=pair)
