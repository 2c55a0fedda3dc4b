"""Logging in: guessing is stopped where it happens and nowhere else, and says nothing about who exists."""

from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import get_hasher
from django.test import Client

from annotate.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

HOME_ADDRESS, OTHER_ADDRESS = "198.51.100.7", "203.0.113.9"
LIMIT = 8


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any) -> None:
    """What is tested here is who is asked, not how long a hash takes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return make_user("ada", password="right horse")


def log_in(
    name: str,
    password: str,
    *,
    address: str = HOME_ADDRESS,
    next_page: str = "",
    client: Client | None = None,
) -> Any:
    return (client or Client()).post(
        "/login/", {"username": name, "password": password, "next": next_page}, REMOTE_ADDR=address
    )


def test_the_right_password_leads_home(ada: User) -> None:
    answered = log_in("ada", "right horse")
    assert (answered.status_code, answered["Location"]) == (302, "/")


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(ada: User) -> None:
    pages = []
    for name in ("ada", "bob"):
        answered = log_in(name, "wrong horse")
        assert answered.status_code == 200 and SESSION_KEY not in answered.client.session
        pages.append(answered.content.replace(name.encode(), b"NAME"))
    token = b'name="csrfmiddlewaretoken" value="'
    assert pages[0].split(token)[0] == pages[1].split(token)[0]
    assert pages[0].split(token)[1][64:] == pages[1].split(token)[1][64:]


def test_an_unknown_name_takes_as_many_hashes_as_a_wrong_password(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def counted(self: Any, password: str, *rest: Any) -> str:
        hashed.append(password)
        return encode(self, password, *rest)

    monkeypatch.setattr(hasher, "encode", counted)
    for name in ("ada", "bob"):
        log_in(name, f"wrong for {name}")
    assert hashed == ["wrong for ada", "wrong for bob"]


def test_an_account_that_was_closed_gets_the_same_answer_too(ada: User) -> None:
    User.objects.update(is_active=False)
    assert b"Please enter a correct" in log_in("ada", "right horse").content
    assert b"Please enter a correct" in log_in("bob", "right horse").content


def test_guessing_is_stopped_for_that_name_from_that_address_alone(ada: User) -> None:
    make_user("bob", password="right horse")
    for n in range(1, LIMIT + 3):
        assert log_in("ada", "guess").status_code == (200 if n < LIMIT else 429)
    stopped = log_in("ada", "right horse")
    assert stopped.status_code == 429 and b"Too many tries" in stopped.content
    assert SESSION_KEY not in stopped.client.session
    # Neither can the guesser keep ada out elsewhere, nor a neighbour behind the same address.
    assert log_in("ada", "right horse", address=OTHER_ADDRESS).status_code == 302
    assert log_in("bob", "right horse").status_code == 302
    assert log_in("ada", "right horse").status_code == 429


def test_a_forwarded_address_is_not_believed(ada: User) -> None:
    client = Client()
    for n in range(LIMIT + 1):
        answered = client.post(
            "/login/", {"username": "ada", "password": "guess"}, headers={"X-Forwarded-For": f"192.0.2.{n}"}
        )
    assert answered.status_code == 429


def test_a_success_forgets_the_wrong_ones(ada: User) -> None:
    for _ in range(2):
        for _ in range(LIMIT - 1):
            log_in("ada", "guess")
        assert log_in("ada", "right horse").status_code == 302


def test_a_page_that_logs_in_by_fetch_is_answered_in_json(ada: User) -> None:
    client = Client(headers={"Accept": "application/json"})
    for _ in range(LIMIT - 1):
        refused = log_in("ada", "guess", client=client)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "login")
    refused = log_in("ada", "guess", client=client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "locked")
    assert "Access-Control-Allow-Origin" not in refused.headers
    answered = log_in("ada", "right horse", client=client, address=OTHER_ADDRESS)
    assert (answered.status_code, answered.json()) == (200, {"user": ada.pk})


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "https:///evil.example",
        " //evil.example",
    ],
)
def test_login_sends_nobody_elsewhere(target: str, ada: User) -> None:
    assert log_in("ada", "right horse", next_page=target)["Location"] == "/"
    client = Client()
    client.force_login(ada, backend="webapp.sessions.Accounts")
    for page in ("/login/", "/admin/login/"):
        answered = client.get(page, {"next": target})
        location = answered.headers.get("Location", "/")
        assert location.startswith("/") and not location.startswith(("//", "/\\")), page
    asked = Client().get("/admin/login/", {"next": target})
    assert asked["Location"].startswith("/login/?next=")
    assert log_in("ada", "right horse", next_page="/password/")["Location"] == "/password/"


def test_a_session_gets_a_new_key_at_login_and_dies_at_logout(ada: User) -> None:
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key or ""
    client.cookies[configured.SESSION_COOKIE_NAME] = str(planted)
    log_in("ada", "right horse", client=client)
    key = client.session.session_key or ""
    assert key and key != planted
    thief = Client()
    thief.cookies[configured.SESSION_COOKIE_NAME] = str(planted)
    assert thief.get("/")["Location"].startswith("/login/")
    thief.cookies[configured.SESSION_COOKIE_NAME] = str(key)
    assert thief.get("/").status_code == 200
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert thief.get("/")["Location"].startswith("/login/")


def test_the_csrf_token_changes_at_login(ada: User) -> None:
    client = Client()
    client.get("/login/")
    before = client.cookies["csrftoken"].value
    log_in("ada", "right horse", client=client)
    assert client.cookies["csrftoken"].value != before


def test_a_new_password_ends_the_other_sessions(ada: User) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        log_in("ada", "right horse", client=client)
    fields = {
        "old_password": "right horse",
        "new_password1": "a longer horse",
        "new_password2": "a longer horse",
    }
    assert here.post("/password/", fields).status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/")["Location"].startswith("/login/")


@pytest.mark.parametrize("weak", ["short", "12345678901", "password", "ada-ada"])
def test_a_weak_password_is_refused(weak: str, ada: User) -> None:
    client = Client()
    log_in("ada", "right horse", client=client)
    fields = {"old_password": "right horse", "new_password1": weak, "new_password2": weak}
    assert client.post("/password/", fields).status_code == 200
    assert log_in("ada", "right horse").status_code == 302


def test_nobody_signs_themselves_up() -> None:
    for path in (
        "/signup/",
        "/register/",
        "/accounts/signup/",
        "/password_reset/",
        "/admin/annotate/user/add/",
    ):
        answered = Client().post(path, {"username": "eve", "password1": "x", "password2": "x"})
        assert answered.status_code in (302, 404)
    assert not User.objects.filter(username="eve").exists()
