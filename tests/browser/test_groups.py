"""What the dashboard tells of groups: to be read in both themes and widths."""

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.actions import groups
from annotate.models import Report, Role
from annotate.reports import full_report
from tests.browser.looking import LOOKS, clean
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_groups_on_the_dashboard(look: Any, page: Page, sign_in) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = make_project(slug="grouped", name="Grouped")
    people = [make_annotator(project) for _ in range(11)]
    for name, some in (("Plain", people[:5]), ("Fancy", people[5:10]), ("Rare", people[10:])):
        group = groups.make_group(by=None, project=project, kind="taste", name=name)
        for one in some:
            groups.set_groups(by=None, annotator=one, groups=[group])
    for n in range(3):
        comparison = make_comparison(make_pair(project, external_id=f"row-{n}"), "Which is nicer?", k=9)
        for step in range(4):
            judge(comparison, "response1", people[(n + step) % 5])
            judge(comparison, "response2", people[5 + (n + step) % 5])
    content = full_report(project, timezone.now().date())
    Report.objects.create(project=project, read_at=timezone.now(), verdicts=24, seconds=1, content=content)
    sign_in(make_member(project, Role.REVIEWER))
    page.goto("/dashboard/grouped/")
    expect(page.get_by_role("heading", name="Groups by taste", exact=True)).to_be_visible()
    expect(page.get_by_text("Fewer than 5 of its annotators")).to_be_visible()
    clean(page, "groups on the dashboard")
