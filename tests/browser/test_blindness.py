"""All that a browser receives while somebody judges is searched: names of models, ids, keys, and the stored order."""

import base64
import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from django.db import connection
from playwright.sync_api import Error, Page, Route, expect

from annotate.models import Claim, Derivative, Pair
from tests.api.test_blindness import FIRST_ID, MODELS, secrets_of
from tests.browser.judging import CLARITY, JudgePage, image_pair, judge_project, text_pair
from tests.browser.playables import make_sound, tone
from tests.factories import make_comparison, make_member, make_pair

CANARIES: dict[str, Any] = {
    "source": "canary-source",
    "metadata": {"note": "canary-metadata"},
    "models": MODELS,
}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What differs from one answer to the next by itself.
CHANGING = {"date", "content-length", "set-cookie", "last-modified", "content-range", "x-request-id"}


def pairs_of_three_kinds(project: Any) -> list[Pair]:
    with connection.cursor() as cursor:
        for table, first in FIRST_ID.items():
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first])
    low, high = (make_sound(project, tone(hertz, 0.5)) for hertz in (400, 800))
    heard = make_pair(project, response1=low, response2=high, external_id="canary-heard", **CANARIES)
    make_comparison(heard, CLARITY)
    return [
        text_pair(project, CLARITY, external_id="canary-read", **CANARIES),
        image_pair(project, CLARITY, external_id="canary-seen", **CANARIES),
        heard,
    ]


def spellings(secret: str) -> list[str]:
    """A secret as it is, as part of an address, and in base64 wherever it may begin."""
    shifted = [base64.b64encode(b"\0" * n + secret.encode()).decode()[4 * (n > 0) + n : -4] for n in range(3)]
    return [secret, quote(secret, safe=""), secret[::-1], *(part for part in shifted if len(part) > 8)]


def test_nothing_that_the_browser_received_tells_the_sides_apart(page: Page, sign_in: Any) -> None:
    project = judge_project(pairs=0, claims_in_hand=3)
    pairs = pairs_of_three_kinds(project)
    received: list[tuple[str, dict[str, str], bytes]] = []

    def keep(route: Route) -> None:
        with suppress(Error):  # a page that is left lets go of what it asked for
            response = route.fetch(max_redirects=0)
            received.append((route.request.url, response.headers, response.body()))
            route.fulfill(response=response)

    # What is static is the same for everybody, and tells nothing of a pair.
    page.context.route(re.compile(r"^(?!.*/static/)"), keep)
    told: dict[bool, set[Any]] = {False: set(), True: set()}
    for _ in range(2):  # the second annotator sees each pair the other way round
        sign_in(make_member(project))
        page.goto("/")
        judge = JudgePage(page, project).open()
        for _ in pairs:
            expect(page.locator("#sides :is(.view.image img, .read, canvas)").first).to_be_visible()
            judge.press("1", "a", "Escape", "r")
            page.keyboard.type("Because.")
            judge.press("Escape")
            judge.submit()
        judge.saved()
        judge.press("u")
        judge.ready()
        judge.submit()
        judge.saved()
        judge.press(";")
        page.locator(".past").first.wait_for()
    page.context.unroute_all(behavior="wait")
    flips = {str(claim.pk): claim.flip for claim in Claim.objects.all()}
    assert set(flips.values()) == {False, True}

    secrets = [*secrets_of(pairs[0]), "response1", "response2", *MODELS]
    secrets += [str(made.key) for made in Derivative.objects.all()]
    searched = 0
    for url, headers, body in received:
        everything = "\n".join([url, repr(headers), body.decode("latin-1"), body.decode("utf-8", "replace")])
        # In pages it is what shows A or B on a small screen.
        known = {"flip"} if "text/html" in headers.get("content-type", "") else set()
        for secret in {*secrets} - known:
            found = [spelling for spelling in spellings(secret) if spelling in everything]
            assert not found, f"{url} tells {secret}: {found}"
        searched += 1
        if "/media/" in url:
            assert "etag" not in headers
            (claim,) = UUID.findall(url)
            kept = tuple(sorted((name, value) for name, value in headers.items() if name not in CHANGING))
            told[flips[claim]].add((UUID.sub("CLAIM", url), kept))
    assert searched > 20
    # Whatever the order, the same addresses with the same headers.
    assert told[False] == told[True] != set()
