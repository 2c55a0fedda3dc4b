"""The object store as browsers see it: in a private network it goes by another address than for ourselves."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from storages.backends.s3 import S3Storage

RULE = "evenhand"  # the CORS rule that is ours


class ObjectStore(S3Storage):
    """S3 whose links name `public_url`, where one is given; a link's signature covers the host it names."""

    def get_default_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = super().get_default_settings()
        return settings | {"public_url": None}

    @cached_property
    def _public(self) -> S3Storage:
        settings = {name: getattr(self, name) for name in S3Storage.get_default_settings(self)}
        return S3Storage(**settings | {"endpoint_url": self.public_url})

    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        """A signed link that dies after `expire` seconds."""
        if not self.public_url:
            return str(super().url(name, *args, **kwargs))
        return str(self._public.url(name, *args, **kwargs))


def reading_rule(hosts: Iterable[str], *, https: bool) -> dict[str, Any]:
    """The CORS rule that lets scripts of our pages read by signed links. `hosts` are as in ALLOWED_HOSTS.

    Without HTTPS we answer on any port, which an origin names.
    """
    origins = []
    for host in hosts:
        names = [host[1:], f"*{host}"] if host.startswith(".") else [host]
        origins += [f"https://{name}" if https else f"http://{name}" for name in names]
        if not https and "*" not in names[-1]:  # an origin of a rule has room for one *
            origins += [f"http://{name}:*" for name in names]
    return {
        "ID": RULE,
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["*"] if "*" in hosts else origins,
        "MaxAgeSeconds": 3600,
    }
