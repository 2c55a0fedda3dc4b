"""Signal features move as what they are named for, hold at the smallest sizes, and one bad file stops nothing."""

import hashlib
import io
from collections.abc import Callable, Iterable

import av
import numpy as np
import pytest
import trimesh
from PIL import Image, ImageFilter

from tests.media import clips
from workers.reward_models.base import Compared, MediumRef, Side
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.features.media import media_features, signal_features


def medium(modality: str, **files: bytes) -> MediumRef:
    opens = {kind: (lambda data=data: io.BytesIO(data)) for kind, data in files.items()}
    return MediumRef(hashlib.sha256(b"".join(files.values())).digest(), modality, opens)


def told(ref: MediumRef) -> dict[str, float]:
    features = signal_features(ref.modality)
    row = features.describe(ref)
    assert len(row) == len(features.names) and np.isfinite(row).all()
    return dict(zip(features.names, row, strict=True))


def scenery(size: tuple[int, int] = (200, 140)) -> Image.Image:
    """Soft shapes with some texture, the same each time."""
    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    fine = rng.normal(0, 6, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8))


def image(picture: Image.Image, form: str = "PNG", **options: int) -> MediumRef:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return medium("image", web=target.getvalue())


def noisy(picture: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 25, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def salted(picture: Image.Image) -> Image.Image:
    pixels = np.array(picture)
    pixels[np.random.default_rng(1).random(pixels.shape[:2]) < 0.05] = 255
    return Image.fromarray(pixels)


def striped(picture: Image.Image) -> Image.Image:
    pixels = np.array(picture)
    pixels[::7] //= 2
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("harm", "feature", "sign"),
    [
        (lambda p: p.filter(ImageFilter.GaussianBlur(3)), "detail_0", -1),
        (lambda p: p.filter(ImageFilter.GaussianBlur(3)), "blur", 1),
        (noisy, "noise", 1),
        (lambda p: p.point(lambda v: v // 3), "light", -1),
        (lambda p: p.convert("L").convert("RGB"), "colourfulness", -1),
        (lambda p: p.point(lambda v: 100 + v // 5), "contrast", -1),
        (lambda p: p.point(lambda v: 100 + v // 5), "veil", 1),
        (lambda p: p.point(lambda v: v // 40 * 40), "levels", -1),
        (lambda p: p.filter(ImageFilter.Kernel((5, 5), [0] * 10 + [1] * 5 + [0] * 10)), "direction", 1),
        (lambda p: p.filter(ImageFilter.GaussianBlur(3)), "edge_rise", -1),
        (lambda p: p.filter(ImageFilter.Kernel((5, 5), [0] * 10 + [1] * 5 + [0] * 10)), "edge_rise", -1),
        (lambda p: salted(p), "impulses", 1),
        (lambda p: striped(p), "stripes", 1),
        (lambda p: p.point(lambda v: v // 3), "middle_light", -1),
    ],
)
def test_a_harmed_image_is_told_from_itself(
    harm: Callable[[Image.Image], Image.Image], feature: str, sign: int
) -> None:
    before, after = told(image(scenery())), told(image(harm(scenery())))
    assert sign * (after[feature] - before[feature]) > 0.02


def test_blocks_of_strong_compression_are_seen() -> None:
    assert (
        told(image(scenery(), "JPEG", quality=5))["blockiness"] > 0.3 + told(image(scenery()))["blockiness"]
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (9, 9), (1500, 20)])
def test_images_of_any_size_have_features(size: tuple[int, int]) -> None:
    told(image(Image.new("RGB", size, (10, 200, 30))))


def flac(samples: np.ndarray) -> MediumRef:
    whole = np.clip(samples * 32767, -32768, 32767).astype(np.int16)[:, None]
    return medium(
        "audio", web=clips.sound("audio/flac", codec="flac", rate=16_000, samples=whole, format="s16")
    )


def test_sounds_are_told_by_level_noise_clipping_and_pitch() -> None:
    at = np.arange(32_000) / 16_000
    spoken = 0.2 * np.sin(2 * np.pi * 300 * at) * (np.sin(2 * np.pi * 2 * at) > 0)
    plain = told(flac(spoken))
    hiss = told(flac(spoken + np.random.default_rng(1).normal(0, 0.05, len(at))))
    assert told(flac(spoken / 4))["level"] == pytest.approx(plain["level"] - 12.04, abs=0.1)
    assert hiss["signal_to_noise"] < plain["signal_to_noise"] - 20
    assert hiss["flatness"] > plain["flatness"] + 1
    assert told(flac(spoken * 20))["clipped"] > 0.3 > plain["clipped"]
    assert told(flac(0.2 * np.sin(2 * np.pi * 3000 * at)))["centre"] == pytest.approx(3, abs=0.1)
    assert plain["log_seconds"] == pytest.approx(np.log(2), abs=0.01)
    assert told(flac(np.zeros(16_000)))["silent"] == 1


def test_sounds_are_told_by_cut_tops_clicks_gaps_fading_and_pace() -> None:
    at = np.arange(32_000) / 16_000
    tone = 0.4 * np.sin(2 * np.pi * 300 * at)
    plain = told(flac(tone))
    # At whatever level the tops were cut off.
    assert told(flac(np.clip(tone, -0.1, 0.1)))["plateaus"] > plain["plateaus"] + 1
    clicked = tone.copy()
    clicked[::4000] = 0.9
    assert told(flac(clicked))["clicks"] > plain["clicks"] + 2
    assert told(flac(tone * 10 ** (-2 * at)))["fading"] > 30 > abs(plain["fading"])
    broken = np.where((at * 2) % 1 < 0.1, 0, tone)  # silent for a moment, twice a second
    assert told(flac(broken))["drops"] > np.log1p(1) > plain["drops"]

    def beats(a_second: int) -> MediumRef:
        return flac(tone * np.exp(-20 * (at % (1 / a_second))))

    slow, fast = told(beats(2)), told(beats(8))
    assert slow["onsets"] == pytest.approx(np.log1p(2), abs=0.25)
    assert fast["onsets"] == pytest.approx(np.log1p(8), abs=0.25)
    assert told(flac(0.2 * np.sin(2 * np.pi * 100 * at)))["bass"] == pytest.approx(0, abs=0.05)
    assert told(flac(0.2 * np.sin(2 * np.pi * 5000 * at)))["treble"] == pytest.approx(0, abs=0.05)


def test_a_hiss_makes_a_sound_hardly_brighter_and_gaps_are_no_notes() -> None:
    at = np.arange(48_000) / 16_000
    # Notes that die away, with overtones.
    beats = np.exp(-6 * (at % 0.375))
    low, high = (np.sin(2 * np.pi * hertz * at) for hertz in (300, 3000))
    dull, bright = 0.3 * beats * low, 0.3 * beats * (low + 0.3 * high)
    hiss = np.random.default_rng(2).normal(0, 0.01, len(at))
    plain, louder, hissing = told(flac(dull)), told(flac(bright)), told(flac(dull + hiss))
    assert louder["brightness"] > plain["brightness"] + 1
    assert louder["middle_pitch"] > plain["middle_pitch"] + 0.1
    grown = {name: hissing[name] - plain[name] for name in ("brightness", "treble")}
    print(grown)
    assert abs(grown["brightness"]) < grown["treble"] / 2

    broken = np.where((at * 2) % 1 < 0.06, 0, dull)  # 30 milliseconds, twice a second
    gaps = told(flac(broken))
    assert plain["dropouts"] == 0 and plain["dropout_depth"] < 0.05
    assert gaps["dropouts"] == pytest.approx(np.log1p(2), abs=0.5)
    assert gaps["dropout_depth"] > 0.3
    # It is loud for a moment only: the mean of its power hides that.
    brief = told(flac(np.where(at < 0.3, dull * 3, 0)))
    assert brief["level"] > plain["level"] - 6 and brief["usual_level"] < plain["usual_level"] - 30


def test_the_shortest_sound_has_features() -> None:
    told(flac(np.full(20, 0.1)))


def test_videos_are_told_by_motion_and_freezing() -> None:
    moving = told(medium("video", web=clips.video(frames=40)))
    frozen = told(medium("video", web=clips.video(frames=2, fps=1)))
    still = told(medium("video", web=clips.video(frames=1)))
    assert moving["change"] > still["change"]
    assert still["frozen"] > moving["frozen"] == 0
    assert frozen["log_rate"] < moving["log_rate"]


def film(pictures: Iterable[np.ndarray], key_frames: int = 1) -> MediumRef:
    """Ten frames a second, with a key frame every so many."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as made:
        stream = made.add_stream(
            "libx264", rate=10, options={"crf": "10", "g": str(key_frames), "sc_threshold": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in pictures:
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode(None))
    return medium("video", web=target.getvalue())


def test_videos_are_told_by_panning_shaking_and_flicker() -> None:
    ground = np.asarray(scenery((96, 64)))
    rng = np.random.default_rng(3)
    still = told(film([ground] * 24))
    panned = told(film(np.roll(ground, 3 * n, axis=1) for n in range(24)))
    shaken = told(film(np.roll(ground, tuple(rng.integers(-5, 6, 2)), axis=(0, 1)) for _ in range(24)))
    flickering = told(film((ground * (0.6 + 0.4 * (n % 2))).astype(np.uint8) for n in range(24)))
    assert panned["pan"] == pytest.approx(np.log1p(2), abs=0.3)  # 3 of 96 pixels are 2 of 64
    assert panned["shake"] < 0.5 < shaken["shake"]
    assert still["pan"] == still["shake"] == 0
    assert flickering["flicker"] > still["flicker"] + 2


def test_a_video_is_looked_at_where_it_is_said_to_be_however_few_key_frames_it_has() -> None:
    """It grows lighter from beginning to end: its frames' light must spread as widely."""
    lights = [np.full((64, 96, 3), 8 * n, dtype=np.uint8) for n in range(32)]
    for key_frames in (1, 32):
        assert told(film(lights, key_frames))["spread_light"] == pytest.approx(0.29, abs=0.03)


def model(mesh: trimesh.Trimesh | trimesh.Scene) -> MediumRef:
    sheet = io.BytesIO()
    scenery().save(sheet, "PNG")
    glb = mesh.export(file_type="glb")
    assert isinstance(glb, bytes)
    return medium("mesh", web=glb, sheet=sheet.getvalue())


def test_models_are_told_by_holes_roughness_and_shape() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    open_ = ball.copy()
    open_.update_faces(np.arange(len(ball.faces)) > 30)
    rough = ball.copy()
    rough.vertices = ball.vertices + np.random.default_rng(1).normal(0, 0.03, ball.vertices.shape)
    whole, holed = told(model(ball)), told(model(open_))
    assert (whole["watertight"], holed["watertight"]) == (1, 0)
    assert told(model(rough))["fold"] > 2 * whole["fold"]
    assert whole["compactness"] == pytest.approx(1, abs=0.03)
    assert told(model(trimesh.creation.box((4, 1, 1))))["elongation"] == pytest.approx(0.25, abs=0.01)


def test_models_are_told_by_open_edges_loose_pieces_and_stance() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    whole = told(model(ball))
    assert (whole["open_edges"], whole["log_bodies"], whole["main_body"]) == (0, 0, 1)
    opened = ball.copy()
    opened.update_faces(np.arange(len(ball.faces)) % 9 > 0)
    assert told(model(opened))["open_edges"] > 0.1
    pieces = [trimesh.creation.box((0.1, 0.1, 0.1)).apply_translation((2 + n, 0, 0)) for n in range(3)]
    strewn = told(model(trimesh.Scene([ball, *pieces])))
    assert strewn["log_bodies"] == pytest.approx(np.log(4))
    assert strewn["main_body"] == pytest.approx(1280 / (1280 + 36))
    # Roughness does not take what is coarse for rough.
    rough = ball.copy()
    rough.vertices = ball.vertices + np.random.default_rng(1).normal(0, 0.03, ball.vertices.shape)
    coarse = told(model(trimesh.creation.icosphere(subdivisions=2)))
    assert told(model(rough))["roughness"] > whole["roughness"] + 0.5
    assert coarse["fold"] > 1.5 * whole["fold"]
    tall, leaning = ball.copy(), ball.copy()
    tall.apply_scale((1, 3, 1))
    leaning.vertices = ball.vertices + ball.vertices[:, [1]] * np.array([1.0, 0, 0])
    assert told(model(tall))["height"] == pytest.approx(np.log(3), abs=0.02)
    assert told(model(leaning))["lean"] == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert whole["lean"] == pytest.approx(0, abs=0.02)


def test_a_cloud_of_points_has_features() -> None:
    cloud = trimesh.PointCloud(np.random.default_rng(1).normal(size=(50, 3)))
    assert told(model(trimesh.Scene(cloud)))["points"] == 1


def test_a_file_that_cannot_be_read_is_unknown_and_tried_again() -> None:
    cache, good = MemoryCache(), image(scenery())
    broken = MediumRef(b"b" * 32, "image", {"web": lambda: io.BytesIO(b"no picture")})
    rows = media_features("image", [good, broken, None, good], cache)
    assert np.isfinite(rows[[0, 3]]).all() and np.isnan(rows[[1, 2]]).all()
    mended = MediumRef(broken.sha256, "image", good.files)
    np.testing.assert_array_equal(media_features("image", [mended], cache)[0], rows[0])
    gone = MediumRef(good.sha256, "image", {})
    np.testing.assert_array_equal(media_features("image", [gone], cache)[0], rows[0])


def test_the_model_learns_sharp_from_blurred_and_knows_nothing_of_a_form_unjudged() -> None:
    cache = MemoryCache()
    sides = [
        (Side(medium=image(p)), Side(medium=image(p.filter(ImageFilter.GaussianBlur(2)))))
        for p in (scenery((120 + 8 * n, 100)) for n in range(12))
    ]
    items = [Compared("A garden", "The image is sharp", sharp, soft) for sharp, soft in sides]
    mixed = [item.swapped() if n % 2 else item for n, item in enumerate(items)]
    verdicts = np.array([-1 if n % 2 else 1 for n in range(len(items))], dtype=np.int8)
    trained = BuiltinModel.train(mixed[:8], verdicts[:8], cache=cache)
    assert np.all(trained.score(mixed[8:], cache=cache).margin * verdicts[8:] > 0.5)
    unjudged = trained.score([Compared("A garden", "It is brief", Side("Yes."), Side("No."))], cache=cache)
    assert (unjudged.margin[0], unjudged.variance[0]) == (0, 1)
    assert unjudged.bald[0] > 0.05
