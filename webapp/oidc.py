"""Logging in through an OpenID provider, the one that the settings name: what is asked of it and what is believed.

allauth goes the way of the authorization code with state and PKCE. Added here: a nonce, and that the ID token's signature,
issuer, audience and nonce are looked at whichever way it came. Nobody gets an account by it who was not invited.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import structlog
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as social_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from requests import RequestException

from annotate.actions.logins import account_for
from webapp.refusal import refused

# None that a secret shared with us could sign: a token is the provider's word alone.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LEEWAY = 60  # seconds that clocks may differ
_LONGEST = 191  # characters, as allauth's column has it
_KEPT = 300  # seconds that what it tells of itself is good for
_WANTED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_log = structlog.get_logger(__name__)


class Untrue(OAuth2Error):
    """The provider's answer is not what it must be; the message says what, for the log."""


@contextmanager
def _shaped() -> Iterator[None]:
    """Raises Untrue where an answer of the provider has another shape than any must have."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, RequestException):  # no JSON
            raise
        raise Untrue(f"The provider's answer has no known shape: {error!r}") from error


def offered(request: HttpRequest) -> dict[str, Any]:
    """For all templates: the provider's name, empty where there is none, and whether it is the only way in."""
    return {
        "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "oidc_only": settings.OIDC_ONLY,
    }


class Adapter(OpenIDConnectOAuth2Adapter):
    """One login: asks the provider and checks what it says."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider tells of itself.

        Raises:
            Untrue: it is another issuer, or lacks what is needed.
            RequestException: it does not answer with JSON.
        """
        # Kept a while: whoever asks for the login page's link makes us ask nobody else each time.
        name = f"oidc:{settings.OIDC_ISSUER}"
        config = cache.get(name)
        if config is not None:
            return dict(config)
        config = super().openid_config
        if not isinstance(config, dict):
            raise Untrue("The provider's configuration is no JSON object.")
        if str(config.get("issuer", "")).rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
            raise Untrue(f"The provider says to be {config.get('issuer')!r}, not {settings.OIDC_ISSUER!r}.")
        if missing := [field for field in _WANTED if not isinstance(config.get(field), str)]:
            raise Untrue(f"The provider's configuration lacks {', '.join(missing)}.")
        cache.set(name, config, _KEPT)
        return config

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> Any:
        with _shaped():
            return super().get_access_token_data(*args, **kwargs)

    def parse_token(self, data: Any) -> Any:
        with _shaped():
            return super().parse_token(data)

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Who this is, by the ID token; userinfo adds an address where the token has none.

        Raises:
            Untrue: something is forged, for somebody else, or of another login.
        """
        signed = kwargs["response"].get("id_token")
        if not isinstance(signed, str):
            raise Untrue("The provider sent no ID token.")
        claims = self._decode_id_token(app, signed)
        if "email" not in claims and self.openid_config.get("userinfo_endpoint"):
            told = self._fetch_user_info(token.token)
            if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
                raise Untrue("The provider's userinfo is about somebody else.")
            claims = {**told, **claims}
        with _shaped():
            return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        with social_adapter().get_requests_session() as session:
            answered = session.get(self.openid_config["jwks_uri"])
            answered.raise_for_status()
            told = answered.json()
        try:
            kid = jwt.get_unverified_header(id_token).get("kid")
            keys = [
                key
                for key in jwt.PyJWKSet.from_dict(told).keys
                if kid in (None, key.key_id) and key.public_key_use in (None, "sig")
            ]
            if len(keys) != 1:
                raise Untrue(f"The provider has {len(keys)} keys of the name {kid!r}.")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                keys[0],
                algorithms=_ALGORITHMS,
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, AttributeError, TypeError) as error:
            raise Untrue(f"The ID token is not to be believed: {error}") from error
        if not self.nonce or not constant_time_compare(str(claims.get("nonce", "")), self.nonce):
            raise Untrue("The ID token is of another login.")
        if len(claims["sub"]) > _LONGEST:
            raise Untrue(f"The provider's name for this person is longer than {_LONGEST} characters.")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else app.client_id) != app.client_id:
            raise Untrue("The ID token was made for another application.")
        return claims

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return request.build_absolute_uri(reverse("oidc_callback"))


class Provider(OpenIDConnectProvider):
    """The provider of the settings. Its identities are kept under its issuer: another one's are other people."""

    id = "oidc"
    pkce_enabled_default = True
    oauth2_adapter_class = Adapter
    supports_token_authentication = False

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("oidc")

    def get_callback_url(self) -> str:
        return reverse("oidc_callback")

    def wk_server_url(self, url: str) -> str:
        return f"{url.rstrip('/')}/.well-known/openid-configuration"

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, **kwargs: Any
    ) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        return super().redirect(request, process, next_url, auth_params={"nonce": nonce}, nonce=nonce)

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        claims = data["id_token"]
        if not isinstance(claims.get("email"), str):
            return []
        verified = claims.get("email_verified") is True or claims.get("email_verified") == "true"
        return [EmailAddress(email=claims["email"], verified=verified, primary=True)]

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}  # nothing is kept of what the provider tells about people


class Callback(OAuth2CallbackView):
    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        if state:
            self.adapter.nonce = state.get("nonce", "")
        return state, response


class Identities(DefaultSocialAccountAdapter):
    """allauth's questions about logins by a provider, answered."""

    def list_apps(self, request: Any, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """That of the environment. Rows of allauth's table of apps are none of ours."""
        if not settings.OIDC_ISSUER:
            return []
        return [
            SocialApp(
                provider=Provider.id,
                provider_id=settings.OIDC_ISSUER,
                name=settings.OIDC_NAME,
                client_id=settings.OIDC_CLIENT_ID,
                secret=settings.OIDC_CLIENT_SECRET,
                settings={"server_url": settings.OIDC_ISSUER},
            )
        ]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find the account, or say why there is none."""
        if sociallogin.is_existing:
            return
        email = next((one.email for one in sociallogin.email_addresses if one.verified), "")
        account: SocialAccount = sociallogin.account
        if not email:
            detail = _(
                "%(name)s has not verified an e-mail address of yours, so nothing tells which account is yours."
            )
        elif account_for(issuer=account.provider, subject=account.uid, email=email):
            sociallogin.lookup()
            return
        else:
            detail = _("No account here has your e-mail address at %(name)s. Ask who runs this site for one.")
        raise ImmediateHttpResponse(refused(request, detail % {"name": settings.OIDC_NAME}))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        raise ImmediateHttpResponse(failed(request, exception))


def failed(request: HttpRequest, exception: Exception | None) -> HttpResponse:
    """What somebody is told whose login did not come about; the log says why."""
    if isinstance(exception, RequestException):
        detail, status = _("%(name)s does not answer. Try again in a minute."), 502
    elif exception is None:
        detail, status = _("That login was given up, or took too long. Begin again."), 400
    else:
        detail, status = (
            _("What %(name)s answered is not to be trusted, so nobody was logged in. Begin again."),
            403,
        )
    if exception:
        _log.warning("oidc_login_failed", problem=str(exception)[:500])
    return refused(request, detail % {"name": settings.OIDC_NAME}, status)
