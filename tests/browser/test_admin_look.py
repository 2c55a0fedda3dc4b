"""The admin in paper and ink: in both themes and widths, and in the theme that was chosen on any other page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import User
from tests.admin.conftest import Site, make_site
from tests.browser.looking import LOOKS, clean
from tests.factories import make_user

SignIn = Callable[[User], None]


@pytest.fixture
def ours(page: Page) -> Site:
    return make_site("Ours")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_its_pages_are_clean(look: Any, ours: Site, page: Page, sign_in: SignIn) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    sign_in(make_user("boss", superuser=True, password=None))
    project, pair = ours.project.pk, ours.rows["pair"].pk
    for where in (
        reverse("admin:index"),
        reverse("admin:annotate_pair_changelist"),
        reverse("admin:annotate_pair_change", args=[pair]),
        reverse("admin:annotate_project_change", args=[project]),
        reverse("admin:annotate_project_learning", args=[project]),
        reverse("admin:annotate_project_act", args=[project, "export"]),
        reverse("admin:annotate_dataimport_add"),
    ):
        page.goto(where)
        clean(page, where)


def test_the_theme_is_that_of_the_other_pages(page: Page, sign_in: SignIn) -> None:
    page.emulate_media(color_scheme="light")
    sign_in(make_user("boss", superuser=True, password=None))
    page.goto(reverse("home"))
    page.get_by_role("button", name="Light or dark").click()
    page.goto(reverse("admin:index"))
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_models_stand_under_subjects_and_are_found_by_typing(page: Page, sign_in: SignIn) -> None:
    sign_in(make_user("boss", superuser=True, password=None))
    page.goto(reverse("admin:annotate_pair_changelist"))
    sidebar = page.get_by_role("navigation", name="Sidebar")
    assert sidebar.locator("caption").all_inner_texts() == ["Projects", "Work", "People", "Traces"]
    expect(sidebar.get_by_role("link", name="Pairs")).to_have_attribute("aria-current", "page")
    page.get_by_role("searchbox", name="Filter navigation items").fill("judg")
    expect(sidebar.get_by_role("link", name="Judgments")).to_be_visible()
    expect(sidebar.get_by_role("link", name="Claims")).to_be_hidden()
