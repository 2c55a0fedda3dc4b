"""While a criterion is typed, what the library has already is found: by the word, half a word, or without spaces."""

import pytest

from annotate.models import DataImport, Job, Project
from tests.api.client import Api, answer
from tests.factories import make_criterion, make_project

LIBRARY = [
    "The steps are in the right order.",
    "The answer names its sources.",
    "The picture keeps the colours of the prompt.",
    "\uadf8\ub9bc\uc758 \uc0c9\uc774 \uc790\uc5f0\uc2a4\ub7fd\ub2e4.",
    "\u56fe\u7247\u7684\u989c\u8272\u66f4\u81ea\u7136\u3002",
]


@pytest.fixture
def library(project: Project) -> Project:
    for text in LIBRARY:
        make_criterion(project, text)
    return project


def found(api: Api, typed: str) -> list[str]:
    return [row["text"] for row in api.get(f"projects/{api.slug}/criteria/", like=typed).body["criteria"]]


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("the order of the steps is right", 0),
        ("Its sourc", 1),  # half a word
        ("Are the colors of the picture those of the prompt?", 2),
        ("\uc0c9\uc774 \uc790\uc5f0\uc2a4\ub7ec\uc6b4\uac00", 3),
        ("\u989c\u8272\u81ea\u7136", 4),
    ],
)
def test_a_near_duplicate_is_found(typed: str, place: int, library: Project, api: Api) -> None:
    assert found(api, typed)[:1] == [LIBRARY[place]]


@pytest.mark.parametrize(
    "typed", ["", "a", "  ", "zebra", "'; DROP", "a & | ! :*", "\\ ' \" (", "\x00", "x" * 9000]
)
def test_nothing_alike_finds_nothing(typed: str, library: Project, api: Api) -> None:
    assert found(api, typed) == []


def test_merged_and_hidden_ones_and_those_of_other_projects_are_left_out(library: Project, api: Api) -> None:
    canonical = make_criterion(library, "The voice is friendly.")
    make_criterion(library, "Is the voice friendly?", canonical=canonical)
    make_criterion(make_project(), "The voice is so friendly.")
    job = Job.objects.create(kind="import", project=library)
    hidden = DataImport.objects.create(project=library, job=job, spec={})
    make_criterion(library, "The voice is very friendly.", data_import=hidden)
    assert found(api, "friendly voice") == ["The voice is friendly."]


def test_the_project_limits_what_annotators_write(library: Project, api: Api) -> None:
    Project.objects.update(authored_most=2, authored_length=20)
    long = make_criterion(library, "This one is longer than annotators may write here.")
    claim = api.claim().body

    def own(text: str) -> dict[str, object]:
        return answer(claim, comparison=None, criterion=text)

    refused = api.submit(claim, answer(claim), own("It is not too long, is it?"))
    assert refused.error == (400, "invalid", "answers[1].criterion")
    assert api.submit(claim, *(own(f"It is {n}.") for n in range(3))).error == (400, "invalid", "answers")
    # A criterion that the library has is chosen, not written: its length is not the annotator's.
    assert api.submit(claim, own(long.text), own("It is short.")).status == 200
    assert api.submit(claim, own("It is a third.")).error == (400, "invalid", "answers")
