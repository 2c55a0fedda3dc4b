"""Pictures, frames and sound as arrays, held against the stock processors."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.reward_models.large import tiny
from workers.reward_models.large import media
from workers.reward_models.large.media import Grid, frame_count, patches, smart_resize


@pytest.mark.parametrize("size", [(90, 60), (28, 28), (31, 400), (640, 480), (1300, 900)])
def test_pictures_are_cut_as_the_stock_processor_cuts_them(size: tuple[int, int]) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    stock = Qwen2VLImageProcessorPil(size={"shortest_edge": 56 * 56, "longest_edge": 300 * 300})(
        [picture], return_tensors="np"
    )
    ours = patches([picture], Grid(), 300 * 300)
    assert ours.thw == tuple(stock["image_grid_thw"][0])
    assert ours.patches.shape == stock["pixel_values"].shape
    assert np.abs(ours.patches - stock["pixel_values"]).max() < 1e-5


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(112 * 112, 10**6))
def test_a_size_is_whole_tokens_within_its_limit(height: int, width: int, most: int) -> None:
    least = 56 * 56
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(ValueError, match="more than 200 times"):
            smart_resize(height, width, 28, least, most)
        return
    high, wide = smart_resize(height, width, 28, least, most)
    assert high % 28 == wide % 28 == 0 and min(high, wide) >= 28
    # Only where one side is a single token already can the whole be more.
    assert high * wide <= most or min(high, wide) == 28


def test_a_video_is_cut_into_steps_of_time() -> None:
    pictures = [Image.new("RGB", (56, 56), (n * 60, 0, 0)) for n in range(4)]
    seen = patches(pictures, Grid(), 112 * 112, seconds=1.0)
    assert seen.thw == (2, 4, 4)
    # Of one patch: channels, then frames, then rows and columns.
    first = seen.patches[0].reshape(3, 2, 14, 14)
    assert len(np.unique(first[0, 0])) == 1 and first[0, 0, 0, 0] < first[0, 1, 0, 0]
    later = seen.patches[16].reshape(3, 2, 14, 14)
    assert later[0, 0, 0, 0] > first[0, 1, 0, 0]


def test_frames_of_an_odd_number_repeat_the_last() -> None:
    seen = patches([Image.new("RGB", (56, 56), (n * 60, 0, 0)) for n in range(3)], Grid(), 112 * 112)
    last = seen.patches[16].reshape(3, 2, 14, 14)
    assert seen.thw[0] == 2 and np.array_equal(last[:, 0], last[:, 1])


@pytest.mark.parametrize(
    ("seconds", "most", "count"),
    [(0.1, 4, 2), (1.0, 4, 2), (2.0, 4, 4), (60, 4, 4), (60, 5, 4), (10, 64, 20)],
)
def test_frames_are_whole_steps(seconds: float, most: int, count: int) -> None:
    assert frame_count(seconds, 2, 2.0, most) == count


def test_a_video_of_a_file() -> None:
    seen = media.video(tiny.video(1, frames=24, rate=8), Grid(), 256**2, 2.0, 4)
    assert seen.thw == (2, 4, 4)
    assert seen.seconds == pytest.approx(1.5)  # two frames of four in three seconds


def test_sound_of_a_file() -> None:
    heard = media.sound(tiny.audio(1, seconds=0.7))
    assert len(heard) == int(0.7 * 16_000)
    assert heard.dtype == np.float32 and 0.45 < np.abs(heard).max() < 0.55


def test_transparency_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (56, 56), (0, 0, 0, 0)).save(out, "WEBP", lossless=True)
    medium = media.MediumRef(b"x" * 32, "image", {"web": lambda: io.BytesIO(out.getvalue())})
    seen = media.image(medium, Grid(), 112 * 112)
    white = (1 - np.array(media.CLIP[0])) / np.array(media.CLIP[1])
    assert np.allclose(seen.patches[0].reshape(3, 2, 14, 14)[:, 0, 0, 0], white)
