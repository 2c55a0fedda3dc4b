"""Small benchmarks in the published layouts, made in the tests: texts, and real files of every kind."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image


def row(number: int, label: str, **cells: Any) -> dict[str, Any]:
    """A row of OmniRewardBench; two rows a prompt. The response that is labelled better says "good"."""
    good = {"response1": ("good", "bad"), "response2": ("bad", "good"), "tie": ("same", "same")}[label]
    return {
        "prompt": f"Question {number // 2}",
        "model1": "one",
        "model2": "two",
        "criteria": f"Criterion {number % 2}.",
        "criteria_preference": label,
        "id": f"t{number}",
        "response1": f"{good[0]} {number}",
        "response2": f"{good[1]} {number}",
    } | cells


LABELS = ("response1", "response2", "tie", "response1", "response2", "response2", "response1", "tie")


def text_bench(folder: Path, labels: tuple[str, ...] = LABELS) -> Path:
    """Rows t0, t1, ... of text_to_text."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row(number, label) for number, label in enumerate(labels)]
    (folder / "text_to_text_preferences.json").write_text(json.dumps(rows))
    return folder


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, "PNG")
    return out.getvalue()


def sound(pitch: float) -> bytes:
    out = io.BytesIO()
    samples = (np.sin(np.arange(8000) / 8000 * 2 * np.pi * pitch) * 9000).astype(np.int16)
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def media_bench(folder: Path) -> Path:
    """A row each of text, images, sounds and solids as answers, and of a question about an image."""
    text_bench(folder, ("response1",))
    media = folder / "media_data"
    media.mkdir()
    solid = trimesh.creation.box((1, 2, 3)).export(file_type="glb")
    for name, content in (
        ("red.png", picture("red")),
        ("blue.png", picture("blue")),
        ("low.wav", sound(200)),
        ("high.wav", sound(900)),
        ("box.glb", solid),
    ):
        (media / name).write_bytes(content)

    def config(name: str, number: int, label: str, first: str, second: str, **cells: Any) -> None:
        paths = {"response1": first, "response2": second}
        paths |= {f"{side}_path": path for side, path in paths.items() if "." in path}
        made = row(number, label) | paths | cells
        (folder / f"{name}_preferences.json").write_text(json.dumps([made]))

    config("text_to_image", 10, "response1", "red.png", "blue.png")
    config("text_to_audio", 20, "response2", "low.wav", "high.wav")
    config("text_to_3D", 30, "tie", "box.glb", "box.glb")
    config("text_image_to_text", 40, "response2", "bad", "good", image="red.png", image_path="red.png")
    return folder
