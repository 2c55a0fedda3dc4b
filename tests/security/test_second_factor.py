"""The second factor: asked where it is set up, good once, not to be guessed, demanded of staff, reset by superusers."""

import threading
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib.auth import SESSION_KEY
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from annotate.access import Denied
from annotate.actions.factors import Code, reset_factor, set_up_factor, use_code
from annotate.models import AuditEntry, Role, User
from tests.factories import make_member, make_project, make_user
from tests.security.apps import kept, pass_time, secret_of, shown, with_app

pytestmark = pytest.mark.django_db
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"
PASSWORD = "right horse"
LIMIT = 8


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    return make_user("ada", password=PASSWORD)


def password(client: Client, name: str = "ada", **more: Any) -> Any:
    return client.post("/login/", {"username": name, "password": PASSWORD, **more}, REMOTE_ADDR=HOME)


def code(client: Client, typed: str, address: str = HOME) -> Any:
    return client.post("/login/code/", {"code": typed}, REMOTE_ADDR=address)


def is_in(client: Client) -> bool:
    return SESSION_KEY in client.session


def deeds(user: User) -> list[str]:
    entries = AuditEntry.objects.filter(subject=f"user {user.pk}").order_by("pk")
    return list(entries.values_list("deed", flat=True))


def test_without_one_nothing_is_asked(ada: User) -> None:
    client = Client()
    assert password(client)["Location"] == "/" and is_in(client)
    assert b"Set up" in client.get("/second-factor/").content


def test_setting_up_asks_for_the_password_and_the_code(ada: User) -> None:
    client = Client()
    password(client)
    secret = secret_of(client)
    page = client.get("/second-factor/set-up/").content.decode()
    assert " ".join(secret[n : n + 4] for n in range(0, len(secret), 4)) in page
    assert (
        page.count("<svg") == 2 and "style=" not in page and "<?xml" not in page
    )  # the theme's icon and the code
    for wrong in ({"password": "wrong", "code": shown(secret)}, {"password": PASSWORD, "code": "12345"}):
        refused = client.post("/second-factor/set-up/", wrong)
        assert refused.status_code == 200 and b'role="alert"' in refused.content
    assert not Authenticator.objects.exists()
    done = client.post("/second-factor/set-up/", {"password": PASSWORD, "code": shown(secret)})
    codes = done.context["codes"]
    assert len(set(codes)) == 10 and all(one in done.content.decode() for one in codes)
    assert "no-store" in done["Cache-Control"]
    again = client.get("/second-factor/")
    assert not any(one in again.content.decode() for one in codes)
    assert client.get("/second-factor/set-up/")["Location"] == "/second-factor/"
    assert kept(ada)["secret"] == secret
    assert secret not in str(list(Authenticator.objects.values_list("data", flat=True))), (
        "it is kept encrypted"
    )
    assert deeds(ada) == ["set up second factor"]


def test_the_code_that_set_it_up_logs_nobody_in(ada: User) -> None:
    setting, client = Client(), Client()
    password(setting)
    secret = secret_of(setting)
    typed = shown(secret)
    setting.post("/second-factor/set-up/", {"password": PASSWORD, "code": typed})
    password(client)
    code(client, typed)
    assert not is_in(client)


def test_the_password_alone_does_not_log_in(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    assert password(client, next="/password/")["Location"] == "/login/code/"
    assert not is_in(client)
    for path in ("/", "/second-factor/", "/api/v1/projects/", "/admin/"):
        assert client.get(path).status_code in (302, 401), path
    asked = client.get("/login/code/")
    assert asked.status_code == 200 and "no-store" in asked["Cache-Control"]
    before = client.session.session_key
    answered = code(client, shown(secret))
    assert answered["Location"] == "/password/" and is_in(client)
    assert client.session.session_key != before
    assert client.get("/login/code/")["Location"] == "/"


def test_the_code_alone_does_not_log_in(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    assert code(client, shown(secret))["Location"] == "/login/"
    client.post("/login/", {"username": "ada", "password": "wrong horse"}, REMOTE_ADDR=HOME)
    assert code(client, shown(secret))["Location"] == "/login/"
    assert not is_in(client)


def test_a_code_is_good_once_and_makes_older_ones_bad(ada: User) -> None:
    secret, _ = with_app(ada)
    typed, older = shown(secret, later=1), shown(secret, later=0)
    first, second = Client(), Client()
    password(first)
    code(first, typed)
    password(second)
    for replayed in (typed, older):
        answered = code(second, replayed)
        assert answered.status_code == 200 and b"was used before" in answered.content
    assert is_in(first) and not is_in(second)


def test_a_recovery_code_is_good_once(ada: User) -> None:
    _, codes = with_app(ada)
    for n, typed in enumerate((codes[3], codes[3], codes[0])):
        client = Client()
        password(client)
        code(client, typed)
        assert is_in(client) == (n != 1)
    assert client.get("/second-factor/").context["left"] == 8
    assert deeds(ada).count("use recovery code") == 2


@pytest.mark.django_db(transaction=True)
def test_of_several_who_use_a_code_at_once_one_gets_in(ada: User) -> None:
    secret, codes = with_app(ada)
    for typed in (shown(secret), codes[0]):
        together = threading.Barrier(6)
        outcomes: list[Code] = []

        def use(
            typed: str = typed, together: threading.Barrier = together, outcomes: list[Code] = outcomes
        ) -> None:
            together.wait()
            outcomes.append(use_code(user=ada, code=typed))
            connection.close()

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.value for one in outcomes) == ["right", *["wrong"] * 5]


def test_guessing_codes_closes_the_login_as_guessing_passwords_does(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    password(client)
    for n in range(1, LIMIT + 1):
        assert code(client, "000000").status_code == (200 if n < LIMIT else 429)
    attempt = AccessAttempt.objects.get()
    assert attempt.failures_since_start == LIMIT and "000000" not in attempt.post_data
    assert code(client, shown(secret)).status_code == 429 and not is_in(client)
    assert password(Client()).status_code == 429
    # The right password in between forgets no wrong code: nobody has logged in by it.
    other = make_user("bob", password=PASSWORD)
    with_app(other)
    for n in range(1, LIMIT + 1):
        client = Client()
        password(client, "bob")
        assert code(client, "000000").status_code == (200 if n < LIMIT else 429)


def test_guessing_codes_from_many_addresses_is_stopped_too(ada: User) -> None:
    secret, codes = with_app(ada)
    for n in range(10):
        client = Client()
        password(client)
        assert code(client, "000000", f"192.0.2.{n}").status_code == 200
    client = Client()
    client.post("/login/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR=ELSEWHERE)
    for typed in (shown(secret), codes[0]):
        assert code(client, typed, ELSEWHERE).status_code == 429
    assert not is_in(client)
    app = Authenticator.objects.get(user=ada, type=Authenticator.Type.TOTP)
    app.data["wrong"] = [at - 16 * 60 for at in app.data["wrong"]]
    app.save()
    assert code(client, shown(secret), ELSEWHERE).status_code == 302 and is_in(client)


def test_a_page_that_logs_in_by_fetch_is_asked_in_json(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client(headers={"Accept": "application/json"})
    assert code(client, shown(secret)).json()["error"]["code"] == "login"
    asked = password(client)
    assert (asked.status_code, asked.json()) == (200, {"asks": "code"})
    refused = code(client, "000000")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "code")
    answered = code(client, shown(secret))
    assert (answered.status_code, answered.json()) == (200, {"user": ada.pk}) and is_in(client)


def test_an_account_that_is_closed_meanwhile_does_not_get_in(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    password(client)
    User.objects.update(is_active=False)
    assert code(client, shown(secret))["Location"] == "/login/" and not is_in(client)


def test_half_a_login_runs_out(ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    password(client)
    session = client.session
    session["account_login"]["initiated_at"] -= 16 * 60
    session.save()
    assert code(client, shown(secret))["Location"] == "/login/" and not is_in(client)


def test_new_codes_and_removal_ask_for_the_password(ada: User) -> None:
    secret, old = with_app(ada)
    client = Client()
    password(client)
    code(client, shown(secret))
    for path in ("codes", "remove"):
        assert client.get(f"/second-factor/{path}/").status_code == 200
        refused = client.post(f"/second-factor/{path}/", {"password": "wrong horse"}, REMOTE_ADDR=HOME)
        assert refused.status_code == 200 and b"That is wrong" in refused.content
    assert AccessAttempt.objects.get().failures_since_start == 2
    new = client.post("/second-factor/codes/", {"password": PASSWORD}, REMOTE_ADDR=HOME).context["codes"]
    assert not set(new) & set(old)
    assert use_code(user=ada, code=old[5]) is Code.WRONG and use_code(user=ada, code=new[5]) is Code.RIGHT
    removed = client.post("/second-factor/remove/", {"password": PASSWORD}, REMOTE_ADDR=HOME)
    assert removed["Location"] == "/second-factor/" and not Authenticator.objects.exists()
    assert password(Client())["Location"] == "/"
    assert deeds(ada)[-1] == "remove second factor"


def test_guessing_the_password_there_is_stopped(ada: User) -> None:
    client = Client()
    password(client)
    secret = secret_of(client)
    for n in range(1, LIMIT + 1):
        guess = {"password": "wrong horse", "code": shown(secret)}
        answered = client.post("/second-factor/set-up/", guess, REMOTE_ADDR=HOME)
        assert answered.status_code == (200 if n < LIMIT else 429)
    right = {"password": PASSWORD, "code": shown(secret)}
    assert client.post("/second-factor/set-up/", right, REMOTE_ADDR=HOME).status_code == 429
    assert not Authenticator.objects.exists()


def test_two_tabs_set_up_one(ada: User) -> None:
    with_app(ada)
    with pytest.raises(Exception, match="set up already"):
        set_up_factor(user=ada, secret="JBSWY3DPEHPK3PXP", code=shown("JBSWY3DPEHPK3PXP"))


def test_another_secret_key_makes_codes_wrong_and_breaks_nothing(ada: User, settings: Any) -> None:
    secret, _ = with_app(ada)
    settings.SECRET_KEY = "another one"
    assert use_code(user=ada, code=shown(secret)) is Code.WRONG


def test_staff_and_managers_set_it_up_first_where_that_is_wanted(settings: Any) -> None:
    settings.MFA_STAFF = True
    project = make_project()
    users = {
        "annotator": make_member(project, user=make_user("annotator", password=PASSWORD)),
        "reviewer": make_member(project, Role.REVIEWER, make_user("reviewer", password=PASSWORD)),
        "manager": make_member(project, Role.MANAGER, make_user("manager", password=PASSWORD)),
        "root": make_user("root", superuser=True, password=PASSWORD),
    }
    for name, user in users.items():
        client = Client()
        password(client, name)
        held = name in ("manager", "root")
        pages = ("/", "/password/", f"/judge/{project.slug}/", f"/dashboard/{project.slug}/", "/admin/")
        for path in pages:
            answered = client.get(path)
            assert (answered.get("Location") == "/second-factor/set-up/") == held, (name, path)
        api = client.get("/api/v1/projects/")
        assert api.status_code == (403 if held else 200)
        if not held:
            continue
        assert api.json()["error"]["code"] == "second_factor"
        assert client.get("/health").status_code == 200 and client.get("/sw.js").status_code == 200
        assert client.post("/language/", {"language": "ko"}).status_code == 302
        secret = secret_of(client)
        client.post("/second-factor/set-up/", {"password": PASSWORD, "code": shown(secret)})
        assert client.get("/").status_code == 200 and client.get("/api/v1/projects/").status_code == 200
        assert kept(user)["secret"] == secret
        client.post("/logout/")
        pass_time(user)
        password(client, name)
        code(client, shown(secret))
        assert client.get("/").status_code == 200


def test_who_becomes_a_manager_is_asked_then(settings: Any, ada: User) -> None:
    settings.MFA_STAFF = True
    client = Client()
    password(client)
    assert client.get("/").status_code == 200
    make_member(make_project(), Role.MANAGER, ada)
    assert client.get("/")["Location"] == "/second-factor/set-up/"


def test_a_superuser_resets_it(ada: User) -> None:
    with_app(ada)
    root = make_user("root", superuser=True, password=PASSWORD)
    with pytest.raises(Denied):
        reset_factor(by=make_user("eve"), user=ada)
    client = Client()
    password(client, "root")
    url = reverse("admin:reset_factor", args=[ada.pk])
    assert url.encode() in client.get(reverse("admin:annotate_user_change", args=[ada.pk])).content
    assert client.get(url).status_code == 200 and Authenticator.objects.count() == 2
    assert client.post(url).status_code == 302 and not Authenticator.objects.exists()
    entry = AuditEntry.objects.get(deed="reset second factor")
    assert (entry.by, entry.subject) == (root, f"user {ada.pk}")
    assert b"has no second factor" in client.post(url).content
    assert url.encode() not in client.get(reverse("admin:annotate_user_change", args=[ada.pk])).content
    assert client.get(reverse("admin:reset_factor", args=[0])).status_code == 404


def test_the_last_superuser_resets_it_at_the_terminal() -> None:
    with_app(make_user("root", superuser=True))
    call_command("reset_factor", "root")
    assert not Authenticator.objects.exists()
    for name, problem in (("root", "has no second factor"), ("bob", "no account 'bob'")):
        with pytest.raises(CommandError, match=problem):
            call_command("reset_factor", name)


@pytest.mark.parametrize(
    "path",
    [
        "signup/",
        "email/",
        "password/reset/",
        "accounts/login/",
        "2fa/",
        "social/connections/",
        "login/code/confirm/",
    ],
)
def test_the_rest_of_allauth_is_not_there(path: str, ada: User) -> None:
    client = Client()
    password(client)
    for asking in (Client(), client):
        for prefix in ("/", "/accounts/"):
            assert asking.get(prefix + path).status_code == 404
