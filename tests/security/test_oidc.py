"""Logging in through an OpenID provider, against a real one over HTTP: who gets in, and what of its answers is believed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.test import Client

from annotate.actions.invitations import Invited, invite, revoke_invitation
from annotate.models import AuditEntry, Invitation, Role, User
from tests.factories import make_member, make_project, make_user
from tests.paths import ROOT
from tests.security.apps import shown, with_app
from tests.security.guarded import hold_guarded
from tests.security.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, new_key, providing

pytestmark = pytest.mark.django_db
PASSWORD = "right horse"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    with providing() as running:
        settings.OIDC_ISSUER = running.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
        settings.OIDC_NAME = "Example University"
        yield running


@pytest.fixture
def ada() -> User:
    return make_user("ada", password=PASSWORD)


def begin(client: Client, path: str = "/login/oidc/") -> str:
    """Where the provider sends the browser back to, as a path of ours."""
    sent = client.get(path)
    assert sent.status_code == 302, sent.content
    answered = requests.get(sent["Location"], allow_redirects=False, timeout=10)
    url = urlsplit(answered.headers["Location"])
    assert (url.netloc, url.path) == ("testserver", "/login/oidc/callback/")
    return f"{url.path}?{url.query}"


def log_in(client: Client, path: str = "/login/oidc/") -> Any:
    return client.get(begin(client, path))


def is_in(client: Client) -> bool:
    return SESSION_KEY in client.session


def refuses(client: Client, answered: Any, status: int, words: str) -> None:
    assert answered.status_code == status and words in answered.content.decode()
    assert b"Not logged in" in answered.content and not is_in(client)
    hold_guarded(answered, "refused login")


def test_who_has_an_account_with_the_verified_address_gets_in(provider: Provider, ada: User) -> None:
    client = Client()
    assert b"Log in with Example University" in client.get("/login/").content
    before = log_in(client, "/login/oidc/?next=/password/")
    assert before["Location"] == "/password/" and client.session[SESSION_KEY] == str(ada.pk)
    tied = SocialAccount.objects.get()
    assert (tied.user, tied.provider, tied.uid) == (ada, provider.issuer, "person-1")
    assert tied.extra_data == {} and not SocialToken.objects.exists()
    entry = AuditEntry.objects.get(deed="tie to identity")
    assert (entry.by, entry.details) == (ada, {"issuer": provider.issuer, "identity": "person-1"})
    assert provider.asked.count("/keys") == 1 and "/userinfo" not in provider.asked
    assert client.get("/").status_code == 200


def test_a_session_of_before_gets_a_new_key(provider: Provider, ada: User) -> None:
    client = Client()
    back = begin(client)
    planted = client.session.session_key
    client.get(back)
    assert is_in(client) and client.session.session_key != planted


def test_the_identity_stays_with_its_account_whatever_its_address(provider: Provider, ada: User) -> None:
    log_in(Client())
    make_user("bob")
    provider.person |= {"email": "bob@example.org", "email_verified": False}
    client = Client()
    log_in(client)
    assert client.session[SESSION_KEY] == str(ada.pk) and SocialAccount.objects.count() == 1
    # The same name at another provider is somebody else.
    SocialAccount.objects.update(provider="https://another.example")
    client = Client()
    refuses(client, log_in(client), 403, "has not verified an e-mail address")


def test_an_address_in_userinfo_alone_will_do(provider: Provider, ada: User) -> None:
    provider.in_token = ()
    client = Client()
    log_in(client)
    assert is_in(client) and "/userinfo" in provider.asked


@pytest.mark.parametrize("verified", [False, None, "false", 1, "yes"])
def test_an_address_that_is_not_verified_is_nobodys(verified: Any, provider: Provider, ada: User) -> None:
    provider.person["email_verified"] = verified
    if verified is None:
        del provider.person["email_verified"]
    client = Client()
    refuses(client, log_in(client), 403, "has not verified an e-mail address of yours")
    assert not SocialAccount.objects.exists()


def test_nobody_gets_an_account_by_it(provider: Provider, ada: User) -> None:
    provider.person["email"] = "eve@example.org"
    client = Client()
    refuses(client, log_in(client), 403, "No account here has your e-mail address")
    assert list(User.objects.all()) == [ada] and not SocialAccount.objects.exists()


def test_accounts_without_or_with_the_same_address_are_nobodys(provider: Provider) -> None:
    provider.person["email"] = "ada@example.org"
    for email in ("", "ADA@example.org", "ada@example.org"):
        make_user().__class__.objects.filter(email__startswith="user").update(email=email)
    client = Client()
    refuses(client, log_in(client), 403, "No account here has your e-mail address")


def test_who_was_invited_gets_an_account_and_is_a_member(provider: Provider) -> None:
    project, other = make_project(), make_project()
    invite(by=None, project=project, invited=[Invited("ADA@example.org", Role.REVIEWER)])
    [revoked] = invite(by=None, project=other, invited=[Invited("ada@example.org", Role.MANAGER)])
    revoke_invitation(by=None, invitation=revoked.invitation)
    make_user("ada@example.org").__class__.objects.update(email="")
    client = Client()
    assert log_in(client)["Location"] == "/"
    user = User.objects.get(email="ada@example.org")
    assert client.session[SESSION_KEY] == str(user.pk) and user.username == "ada@example.org-2"
    assert not user.has_usable_password() and not user.is_superuser
    deeds = AuditEntry.objects.filter(subject=f"user {user.pk}").order_by("pk")
    assert list(deeds.values_list("deed", flat=True)) == ["create user", "tie to identity"]
    assert [(one.project, one.role) for one in user.memberships.all()] == [(project, Role.REVIEWER)]
    assert Invitation.objects.get(project=project).uses_left == 0


def test_an_account_that_is_closed_does_not_get_in(provider: Provider, ada: User) -> None:
    User.objects.update(is_active=False)
    client = Client()
    refuses(client, log_in(client), 403, "closed")
    client = Client()
    refuses(client, log_in(client), 403, "closed")


def test_the_second_factor_is_asked_all_the_same(provider: Provider, ada: User) -> None:
    secret, _ = with_app(ada)
    client = Client()
    assert log_in(client, "/login/oidc/?next=/password/")["Location"] == "/login/code/" and not is_in(client)
    answered = client.post("/login/code/", {"code": shown(secret)})
    assert answered["Location"] == "/password/" and client.session[SESSION_KEY] == str(ada.pk)


def test_who_has_no_password_manages_a_second_factor_too(
    provider: Provider, ada: User, settings: Any
) -> None:
    settings.MFA_STAFF = True
    ada.set_unusable_password()
    ada.save()
    make_member(make_project(), Role.MANAGER, ada)
    client = Client()
    log_in(client)
    assert client.get("/")["Location"] == "/second-factor/set-up/"
    page = client.get("/second-factor/set-up/")
    assert b'name="password"' not in page.content
    secret = client.session["mfa.totp.secret"]
    session = client.session
    session["account_authentication_methods"][0]["at"] -= 16 * 60
    session.save()
    late = client.post("/second-factor/set-up/", {"code": shown(secret)})
    assert b"too long since you logged in" in late.content
    session["account_authentication_methods"][0]["at"] = time.time()
    session.save()
    done = client.post("/second-factor/set-up/", {"code": shown(secret)})
    codes = done.context["codes"]
    assert client.get("/").status_code == 200
    assert b"recovery code" in client.get("/second-factor/remove/").content
    assert b"That is wrong" in client.post("/second-factor/remove/", {"password": ""}).content
    assert client.post("/second-factor/remove/", {"password": codes[0]})["Location"] == "/second-factor/"


def set_claim(name: str, value: Any) -> Any:
    return lambda claims: claims.update({name: value})


@pytest.mark.parametrize(
    "lie",
    [
        set_claim("aud", "another application"),
        set_claim("aud", [CLIENT_ID, "another"]),
        set_claim("azp", "another application"),
        set_claim("iss", "https://evil.example"),
        set_claim("nonce", "of another login"),
        set_claim("nonce", ""),
        set_claim("exp", int(time.time()) - 3600),
        set_claim("iat", int(time.time()) + 3600),
        set_claim("sub", ""),
        set_claim("sub", None),
        set_claim("sub", "x" * 255),
        lambda claims: claims.pop("nonce"),
        lambda claims: claims.pop("exp"),
        lambda claims: claims.pop("aud"),
    ],
    ids="aud two-auds azp iss nonce empty-nonce expired future no-name null-name long-name no-nonce no-exp no-aud".split(),
)
def test_a_token_for_another_purpose_is_refused(lie: Any, provider: Provider, ada: User) -> None:
    provider.alter = lie
    client = Client()
    refuses(client, log_in(client), 403, "is not to be trusted")


def test_two_audiences_will_do_where_it_was_made_for_us(provider: Provider, ada: User) -> None:
    provider.alter = lambda claims: claims.update(aud=[CLIENT_ID, "another"], azp=CLIENT_ID)
    client = Client()
    log_in(client)
    assert is_in(client)


@pytest.mark.parametrize(
    "sign",
    [
        lambda claims: jwt.encode(claims, new_key(), algorithm="RS256", headers={"kid": "1"}),
        lambda claims: jwt.encode(claims, new_key(), algorithm="RS256", headers={"kid": "2"}),
        lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "1"}),
        lambda claims: jwt.encode(claims, CLIENT_SECRET * 3, algorithm="HS256", headers={"kid": "1"}),
        lambda claims: "not a token",
        lambda claims: None,
    ],
    ids="forged unknown-key unsigned shared-secret nonsense none".split(),
)
def test_a_forged_signature_is_refused(sign: Any, provider: Provider, ada: User) -> None:
    provider.sign = sign
    client = Client()
    refuses(client, log_in(client), 403, "is not to be trusted")


def test_a_token_that_was_changed_after_signing_is_refused(provider: Provider, ada: User) -> None:
    def changed(claims: dict[str, Any]) -> str:
        head, _, signature = provider.signed(claims).split(".")
        other = provider.signed({**claims, "sub": "person-2"}).split(".")[1]
        return f"{head}.{other}.{signature}"

    provider.sign = changed
    client = Client()
    refuses(client, log_in(client), 403, "is not to be trusted")


def test_userinfo_about_somebody_else_is_refused(provider: Provider, ada: User) -> None:
    provider.in_token, provider.userinfo_sub = (), "person-2"
    client = Client()
    refuses(client, log_in(client), 403, "is not to be trusted")


def test_the_state_is_of_this_browser_and_good_once(provider: Provider, ada: User) -> None:
    mine, other = Client(), Client()
    back = begin(mine)
    refuses(other, other.get(back), 400, "took too long")
    asked = parse_qs(urlsplit(back).query)
    code = {"code": asked["code"][0]}
    for state in ({"state": "forged"}, {}):
        answered = mine.get(f"/login/oidc/callback/?{urlencode(code | state)}")
        refuses(mine, answered, 400, "took too long")
    mine.get(back)
    assert is_in(mine)
    mine.post("/logout/")
    refuses(mine, mine.get(back), 400, "took too long")


def test_a_code_of_another_login_is_refused(provider: Provider, ada: User) -> None:
    """PKCE and nonce: the code that an attacker got for themselves is worth nothing in another's browser."""
    attacker, victim = Client(), Client()
    stolen = parse_qs(urlsplit(begin(attacker)).query)["code"][0]
    state = parse_qs(urlsplit(begin(victim)).query)["state"][0]
    answered = victim.get(f"/login/oidc/callback/?{urlencode({'code': stolen, 'state': state})}")
    assert answered.status_code in (403, 502) and not is_in(victim)


def test_who_gives_up_at_the_provider_is_told_so(provider: Provider) -> None:
    client = Client()
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answered = client.get(f"/login/oidc/callback/?{urlencode({'error': 'access_denied', 'state': state})}")
    refuses(client, answered, 400, "given up")


def test_a_provider_that_says_to_be_another_is_refused(provider: Provider) -> None:
    client = Client()
    for wrong in ({"issuer": "https://evil.example"}, {"jwks_uri": None}, {"token_endpoint": 7}):
        provider.discovery = wrong
        refuses(client, client.get("/login/oidc/"), 403, "is not to be trusted")


def test_a_provider_that_does_not_answer_is_no_error_of_ours(provider: Provider, settings: Any) -> None:
    client = Client()
    back = begin(client)
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    refuses(client, client.get("/login/oidc/"), 502, "does not answer")
    settings.OIDC_ISSUER = provider.issuer
    provider.discovery = {"token_endpoint": "http://127.0.0.1:9/token"}
    cache.clear()
    refuses(client, client.get(back), 502, "does not answer")


def test_it_sends_nobody_elsewhere(provider: Provider, ada: User) -> None:
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        client = Client()
        assert log_in(client, f"/login/oidc/?{urlencode({'next': target})}")["Location"] == "/"
    # Nor does what a link adds go on to the provider, nor make a login something else.
    sent = Client().get("/login/oidc/?process=connect&scope=admin&auth_params=prompt%3Dnone")
    asked = parse_qs(urlsplit(sent["Location"]).query)
    assert set(asked) == {
        "client_id", "redirect_uri", "scope", "response_type", "state", "nonce", "code_challenge", "code_challenge_method"
    }  # fmt: skip
    assert set(asked["scope"][0].split()) == {"openid", "email", "profile"}
    assert log_in(Client(), "/login/oidc/?process=redirect&next=/password/")["Location"] == "/password/"


def test_asking_for_a_login_asks_the_provider_once_in_a_while(provider: Provider) -> None:
    for _ in range(5):
        assert Client().get("/login/oidc/").status_code == 302
    assert provider.asked.count("/.well-known/openid-configuration") == 1


def test_no_other_site_begins_a_login(provider: Provider) -> None:
    for site in ("cross-site", "same-site"):
        answered = Client(headers={"Sec-Fetch-Site": site}).get("/login/oidc/")
        assert answered["Location"] == "/login/"
    assert (
        Client(headers={"Sec-Fetch-Site": "same-origin"}).get("/login/oidc/")["Location"].startswith("http")
    )


def test_as_the_only_way_in_passwords_are_for_superusers(
    provider: Provider, ada: User, settings: Any
) -> None:
    settings.OIDC_ONLY = True
    make_user("root", superuser=True, password=PASSWORD)
    shown_first = Client().get("/login/").content
    assert b'name="password"' not in shown_first and b"Log in with Example University" in shown_first
    assert b'name="password"' in Client().get("/login/?password").content
    answers = []
    for name, typed in (("ada", PASSWORD), ("ada", "wrong"), ("bob", "wrong")):
        client = Client()
        answers.append(client.post("/login/", {"username": name, "password": typed}).content)
        assert b"Please enter a correct" in answers[-1] and not is_in(client)
    client = Client()
    client.post("/login/", {"username": "root", "password": PASSWORD})
    assert is_in(client)
    # The right one counts as wrong, or the lockout would tell which it is.
    statuses = [
        Client().post("/login/", {"username": "ada", "password": PASSWORD}).status_code for _ in range(8)
    ]
    assert statuses[-1] == 429
    client = Client()
    log_in(client)
    assert client.session[SESSION_KEY] == str(ada.pk)


def test_without_a_provider_there_is_no_such_page(settings: Any) -> None:
    assert settings.OIDC_ISSUER == ""
    for path in ("/login/oidc/", "/login/oidc/callback/?code=1&state=1"):
        assert Client().get(path).status_code == 404
    assert b"oidc" not in Client().get("/login/").content


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"OIDC_ISSUER": "http://login.example.org"}, "OIDC_ISSUER must be an https"),
        ({"OIDC_ISSUER": "https://login.example.org", "OIDC_CLIENT_ID": "x"}, "OIDC_CLIENT_SECRET"),
        ({"OIDC_ONLY": "true"}, "OIDC_ONLY needs OIDC_ISSUER"),
        ({"MFA_STAFF": "perhaps"}, "MFA_STAFF"),
    ],
)
def test_a_wrong_setting_stops_the_start(given: dict[str, str], told: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY": "x" * 60, **given}
    started = subprocess.run(
        [sys.executable, "-c", "import webapp.settings"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert started.returncode != 0 and told in started.stderr.splitlines()[-1]
