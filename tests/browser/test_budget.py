"""The budget page as a manager sees it, in both themes and sizes, by mouse."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.actions.budgets import keep_budget
from annotate.models import Role, User
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member, make_project


def figure(value: float | None, why: str = "") -> dict[str, Any]:
    return {
        "value": value,
        "low": None if value is None else value - 0.03,
        "high": None if value is None else value + 0.03,
        "why": why,
    }


CONTENT: dict[str, Any] = {
    "labels": 600,
    "by_chance": 120,
    "tested": 240,
    "curves": {
        "all": [{"labels": n} | figure(v) for n, v in ((25, 0.56), (100, 0.64), (300, 0.71), (600, 0.74))],
        "chance": [{"labels": n} | figure(v) for n, v in ((25, 0.55), (120, 0.6))],
    },
    "projection": [
        {"more": 0} | figure(0.741),
        {"more": 100} | figure(0.745),
        {"more": 1000} | figure(0.77),
        {"more": 10000} | figure(None, "It cannot be told: accuracies are too uncertain."),
    ],
    "against": {"labels": 120} | figure(0.041),
    "criteria": [{"criterion": "Which answer is true?", "open": 812, "nats": 0.0831}],
    "sampled": {
        "revision": 7,
        "draws": 180,
        "as_it_came": figure(0.61),
        "put_right": figure(0.72),
        "by_chance": figure(0.7),
        "reserve": figure(0.73),
    },
    "cost": {"spent": 300.0, "next": [50.0, 500.0, 5000.0], "why": "", "currency": "USD"},
    "next": [100, 1000, 10000],
    "advice": {"say": "go on", "why": "The next 1,000 labels are expected to change the accuracy by +0.029."},
}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_it_is_asked_for_and_read(
    look: tuple[Any, int, int], page: Page, sign_in: Callable[[User], None]
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = make_project(slug="spending", name="Spending")
    sign_in(make_member(project, Role.MANAGER))
    page.goto("/dashboard/spending/")
    page.get_by_role("link", name="Budget").click()
    expect(page.get_by_text("Nothing was computed yet.")).to_be_visible()
    clean(page, "nothing computed")
    page.get_by_role("button", name="Compute").click()
    expect(page.get_by_role("status")).to_have_text("Computing: waiting for a worker")
    keep_budget(project=project, read_at=timezone.now(), judgments=600, seconds=4.2, content=CONTENT)
    page.reload()
    expect(page.get_by_role("row", name="1,000 labels more")).to_contain_text("0.770 (0.740 to 0.800)")
    expect(page.get_by_role("row", name="10,000 labels more")).to_contain_text("too uncertain")
    expect(page.get_by_role("row", name="… put right")).to_contain_text("0.720")
    expect(page.get_by_text("Labelling more of “Which answer is true?” pays most:")).to_be_visible()
    clean(page, "figures")
    expect(page.get_by_role("heading", name="Draws by chance alone")).to_be_visible()
    by_chance = CONTENT | {"curves": {"all": CONTENT["curves"]["all"], "chance": CONTENT["curves"]["all"]}}
    keep_budget(project=project, read_at=timezone.now(), judgments=600, seconds=4.2, content=by_chance)
    page.reload()
    expect(page.get_by_role("heading", name="All draws")).to_be_visible()
    expect(page.get_by_role("heading", name="Draws by chance alone")).to_have_count(0)
