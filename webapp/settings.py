"""Settings, from the environment. A wrong value stops the start with its name; README.md lists them all."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate
from psycopg.conninfo import conninfo_to_dict

# Of each process one thread computes a matrix product: there are as many processes as cores, or threads of our own, and
# threads of OpenBLAS spin while they wait for each other. Read when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

env = Env()
_POSITIVE = validate.Range(min=1)
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "data"))).resolve()

DEBUG = env.bool("DEBUG", False)
# What makes the vectors of annotate.sentences.
SENTENCES = "workers.embedding.sentences"


def _secret_key() -> str:
    """The key of this installation: SECRET_KEY, or one made once and kept in DATA_DIR."""
    given = env.str("SECRET_KEY", "")
    if given:
        return given
    path = DATA_DIR / "secret_key"
    if not path.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(os.urandom(48).hex())
        try:
            os.link(fresh, path)  # the first of several processes wins; the others read what it wrote
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()


SECRET_KEY = _secret_key()
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000, validate=validate.Range(1, 65535))
# Make the demo project on the first start of `manage.py up`.
DEMO = env.bool("DEMO", True)
WEB_WORKERS = env.int("WEB_WORKERS", 2, validate=_POSITIVE)  # processes
WEB_THREADS = env.int("WEB_THREADS", 8, validate=_POSITIVE)  # of each; no more than DATABASE_POOL
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Addresses or networks of the proxies whose X-Forwarded-For is believed: logins are locked by client, not by proxy.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", [])
# Days after which records of failed logins go, with their names and addresses. 0: never.
LOGIN_RECORD_DAYS = env.int("LOGIN_RECORD_DAYS", 90, validate=validate.Range(min=0))
# True where TLS ends before us: cookies are then sent over HTTPS alone, and plain HTTP is redirected.
HTTPS = env.bool("HTTPS", False)

INSTALLED_APPS = [
    "annotate",
    "webapp",
    "workers",
    "annotate.admin_config.EvenhandAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "axes",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "csp",
    "django_structlog",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "webapp.compress.CompressAnswers",
    # Before whatever may answer in their place: a refused host is protected too.
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "webapp.caching.kept_by_nobody",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "webapp.factor_first.factor_first",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
AUTH_USER_MODEL = "annotate.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "webapp.sessions.Accounts",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "/login/?left"  # the page drops then what the browser has kept; see static/js/login.js
# By user and address together: nobody can lock another one out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_LOCKOUT_CALLABLE = "webapp.pages.account.locked"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]

# What allauth does for us: steps of a login, codes, the way to an OpenID provider. Signing up, addresses and mail are none of it.
ACCOUNT_ADAPTER = "webapp.signing_in.Accounts"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # axes counts, in the database and for all processes
MFA_ADAPTER = "annotate.second_factor.Secrets"
MFA_TOTP_ISSUER = "Evenhand"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s that clocks may differ
MFA_RECOVERY_CODE_COUNT = 10
SOCIALACCOUNT_ADAPTER = "webapp.oidc.Identities"
# Staff and managers must set up a second factor before they do anything else.
MFA_STAFF = env.bool("MFA_STAFF", False)
OIDC_ISSUER = env.str("OIDC_ISSUER", "")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
OIDC_NAME = env.str("OIDC_NAME", "") or urlsplit(OIDC_ISSUER).hostname or ""
# The provider is the only way in, but for superusers.
OIDC_ONLY = env.bool("OIDC_ONLY", False)
if OIDC_ISSUER:
    _ISSUER = urlsplit(OIDC_ISSUER)
    if _ISSUER.scheme != "https" and _ISSUER.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ImproperlyConfigured(f"OIDC_ISSUER must be an https:// address, not {OIDC_ISSUER!r}.")
    if not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.")
elif OIDC_ONLY:
    raise ImproperlyConfigured("OIDC_ONLY needs OIDC_ISSUER: nobody could log in.")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.oidc.offered",
            ]
        },
    }
]

# Limits of what a web request may take of the database; exports and imports lift them for themselves.
_DATABASE_LIMITS = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
# For the statements of annotate/prepared.py, the only prepared ones: one plan, made once.
_ONE_PLAN = "-c plan_cache_mode=force_generic_plan"


def _database(url: str) -> dict[str, object]:
    """Django's form of a libpq URL; what Django has no name for (sslmode ...) goes on to libpq."""
    given = conninfo_to_dict(url)
    pool = {"min_size": 1, "max_size": env.int("DATABASE_POOL", 10, validate=_POSITIVE), "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.pop("dbname", "evenhand"),
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": given.pop("port", ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **given,
            "options": f"{_DATABASE_LIMITS} {_ONE_PLAN}",
            "prepare_threshold": 0,
            "pool": pool,
        },
    }


DATABASES = {"default": _database(env.str("DATABASE_URL", "postgresql:///evenhand"))}
REDIS_URL = env.str("REDIS_URL", "redis://localhost:6379/0")

SESSION_ENGINE = "webapp.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health$"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 31536000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
S3_BUCKET = env.str("S3_BUCKET", "")
# Where browsers fetch media from by signed links, if not from us: without it the policy below would block them.
_STORE = urlsplit(env.str("S3_PUBLIC_URL", "") or env.str("S3_ENDPOINT_URL", ""))
MEDIA_ORIGINS = env.list("MEDIA_ORIGINS", []) or (
    [f"{_STORE.scheme}://{_STORE.netloc}"] if S3_BUCKET and _STORE.netloc else []
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "blob:", *MEDIA_ORIGINS],
        "media-src": [SELF, "blob:", *MEDIA_ORIGINS],
        # Sounds and 3D models are read by scripts; the textures inside a model, by way of blobs.
        "connect-src": [SELF, "blob:", *MEDIA_ORIGINS],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en"
# What annotators see, in these; each but the first has catalogs in locale/. See webapp/tongues.py.
LANGUAGES = [("en", "English"), ("ko", "한국어"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 86400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
# build/ holds what is made of static/js/ and npm packages (webapp/bundles.py), and browsers' catalogs (webapp/tongues.py).
STATICFILES_DIRS = [
    ("css", BASE_DIR / "static" / "css"),
    ("images", BASE_DIR / "static" / "images"),
    *((made, BASE_DIR / "build" / made) for made in ("js", "tongues", "vendor")),
]

STORAGES: dict[str, dict[str, object]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": env.str("MEDIA_ROOT", str(DATA_DIR / "media")), "base_url": None},
    },
    "staticfiles": {"BACKEND": "webapp.static.HashedModules"},
}
if S3_BUCKET:
    from botocore.config import Config

    STORAGES["default"] = {
        "BACKEND": "webapp.object_store.ObjectStore",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": env.str("S3_ENDPOINT_URL", "") or None,
            # Where browsers reach the store, if that is another address than ours.
            "public_url": env.str("S3_PUBLIC_URL", "") or None,
            "region_name": env.str("S3_REGION", "") or None,
            "access_key": env.str("S3_ACCESS_KEY", "") or None,
            "secret_key": env.str("S3_SECRET_KEY", "") or None,
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
            "querystring_expire": 600,
            "client_config": Config(
                signature_version="s3v4",
                # Stores other than AWS refuse the checksums that boto3 adds unasked.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        },
    }

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["webapp.api.auth.BrowserSession"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["webapp.api.parsers.ShallowJson"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.URLPathVersioning",
    "EXCEPTION_HANDLER": "webapp.api.errors.handle",
    "DEFAULT_VERSION": "v1",
    "ALLOWED_VERSIONS": ["v1"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Evenhand",
    "VERSION": "1",
    "DESCRIPTION": "Claim a pair, judge it, submit.",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {"VerdictEnum": "webapp.api.serializers.VERDICTS"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Celery has its own spelling of a socket's URL.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Longer than any task may run, else Redis would hand a running one to a second worker.
CELERY_VISIBILITY_TIMEOUT = 1800
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    # A request that cannot reach the broker goes on without it, soon; workers keep trying by their own setting.
    "socket_connect_timeout": 2,
    "max_retries": 0,
}
CELERY_TASK_DEFAULT_QUEUE = "default"

LOG_FORMAT = env.str("LOG_FORMAT", "json", validate=validate.OneOf(["json", "text"]))
_LEVEL = validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
_SHARED_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer()
            if LOG_FORMAT == "json"
            else structlog.dev.ConsoleRenderer(colors=False),
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "handlers": {"default": {"class": "logging.StreamHandler", "formatter": "default"}},
    "root": {"handlers": ["default"], "level": env.str("LOG_LEVEL", "WARNING", validate=_LEVEL)},
    "loggers": {"django_structlog": {"level": env.str("REQUEST_LOG_LEVEL", "WARNING", validate=_LEVEL)}},
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
