"""Signal features of media responses, by modality: one row a file, remembered by the file's content.

Files are read in this process, so only renditions that our own sandbox wrote are opened, never what was uploaded.
They measure low-level quality (sharpness, noise, loudness, geometry), not what is shown or said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import numpy.typing as npt
import structlog

from workers.reward_models.base import MediumRef
from workers.reward_models.features.cache import FeatureCache

log = structlog.get_logger(__name__)

MODALITIES = ("image", "video", "audio", "mesh")


@dataclass(frozen=True)
class SignalFeatures:
    """What a module beside this one offers, as VERSION, NAMES and describe()."""

    version: str
    names: tuple[str, ...]
    describe: Callable[[MediumRef], list[float]]


def signal_features(modality: str) -> SignalFeatures:
    """The features of a modality; its decoder's library is loaded here, not before."""
    if modality not in MODALITIES:
        raise LookupError(f"No features are known for {modality!r}. There are: {', '.join(MODALITIES)}.")
    module = import_module(f"workers.reward_models.features.{modality}")
    return SignalFeatures(module.VERSION, module.NAMES, module.describe)


def media_features(
    modality: str, media: Sequence[MediumRef | None], cache: FeatureCache
) -> npt.NDArray[np.float32]:
    """One row a medium, shape (n, number of names); of one that is missing or cannot be read, NaN.

    An unreadable file is not remembered: it is tried again the next time.
    """
    features = signal_features(modality)
    rows = np.full((len(media), len(features.names)), np.nan, dtype=np.float32)
    known: dict[bytes, MediumRef] = {medium.sha256: medium for medium in media if medium is not None}
    for key in set(known) - cache.get(features.version, list(known)).keys():
        try:
            row = features.describe(known[key])
        except Exception as error:  # whatever a decoder throws; one file must not stop the others
            log.warning("no features of a medium", modality=modality, sha256=key.hex(), reason=str(error))
        else:
            # At once: a worker killed among a thousand videos goes on where it was.
            cache.put(features.version, {key: np.array(row, dtype=np.float16)})
    found = cache.get(features.version, list(known))
    for place, medium in enumerate(media):
        if medium is not None and medium.sha256 in found:
            rows[place] = found[medium.sha256]
    return rows
