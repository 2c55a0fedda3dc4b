"""Where this machine keeps what was once computed of texts and files."""

from functools import cache

from django.conf import settings

from workers.reward_models.features.cache import DirectoryCache


@cache
def feature_cache() -> DirectoryCache:
    """One a process: it keeps the places of what it has read. The folder may be deleted; it is made anew."""
    return DirectoryCache(settings.DATA_DIR / "features")
