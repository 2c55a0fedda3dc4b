"""What is seen of an image: signal features of its web rendition."""

from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features.pictures import NAMES as NAMES
from workers.reward_models.features.pictures import opaque, picture_features

VERSION = "image-3"


def describe(medium: MediumRef) -> list[float]:
    with medium.files["web"]() as file, Image.open(file) as picture:
        return picture_features(opaque(picture))
