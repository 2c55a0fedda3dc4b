"""Who may judge what, in a real browser: a manager sets a rule, and an annotator is told that the rest is for others."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.actions.groups import make_group
from annotate.actions.pools import ask_of_people, asks, set_pool
from annotate.models import Pair, PoolRule, Role, User
from tests.browser.conftest import Watch
from tests.browser.judging import JudgePage, judge_project
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_a_manager_sets_a_rule(look: Any, page: Page, sign_in: Callable[[User], None]) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = judge_project(pairs=2)
    pair = Pair.objects.earliest("pk")
    ask_of_people(by=None, project=project, pair_ids=[pair.pk], asked=asks(expertise=["law"]))
    group = make_group(by=None, project=project, kind="taste", name="Plain")
    set_pool(by=None, group=group, excludes=True)
    make_group(by=None, project=project, kind="language", name="Korean")
    sign_in(make_member(project, Role.MANAGER))
    page.goto(f"/dashboard/{project.slug}/groups/")
    expect(page.get_by_text("1 pair needs the expertise law; nobody active has it.")).to_be_visible()
    clean(page, "rules of who may judge what")
    rules = page.get_by_role("region", name="Who may judge what")
    rules.get_by_label("Group").select_option(label="language: Korean")
    rules.get_by_label("Pairs").select_option(label="text to text")
    rules.get_by_role("button", name="Set it").press("Enter")
    expect(page.get_by_text("language: Korean may judge pairs of text to text.")).to_be_visible()
    page.get_by_role("button", name="Remove the rule: taste: Plain").click()
    expect(page.get_by_text("The rule is gone.")).to_be_visible()
    assert PoolRule.objects.get().group.name == "Korean"


def test_an_annotator_is_told_that_the_rest_is_for_others(
    page: Page, watch: Watch, sign_in: Callable[[User], None]
) -> None:
    watch.allow("409")
    project = judge_project(pairs=2)
    pair = Pair.objects.latest("pk")
    ask_of_people(by=None, project=project, pair_ids=[pair.pk], asked=asks("Korean"))
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("1", "1")
    judge.submit()
    expect(page.locator("#blank")).to_contain_text("Nothing for you now")
    expect(page.locator("#blank")).to_contain_text("for people with: Korean")
    clean(page, "judge, nothing for you")
