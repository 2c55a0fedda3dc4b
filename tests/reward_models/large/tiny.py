"""Tiny models of the real families with random weights and a tokenizer of bytes: everything but size is as published."""

import io
import wave
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from workers.reward_models.base import MediumRef

_SPECIAL = {
    "qwen2_5_vl": "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|>".split(),
    "qwen2_5_omni_thinker": (
        "<|im_start|> <|im_end|> <|vision_bos|> <|vision_eos|> <|IMAGE|> <|VIDEO|> <|AUDIO|> <|audio_bos|>"
        " <|audio_eos|>"
    ).split(),
    "qwen3_vl": "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|>".split(),
    "qwen3_omni_moe_thinker": (
        "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|> <|audio_pad|>"
        " <|audio_start|> <|audio_end|>"
    ).split(),
    "qwen2": "<|im_start|> <|im_end|>".split(),
}
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 4096,
    "bos_token_id": None,
    "eos_token_id": None,
}
_ROPE = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]}
_VISION = {
    "depth": 2,
    "num_heads": 2,
    "intermediate_size": 32,
    "fullatt_block_indexes": [1],
    "patch_size": 14,
}
_VISION3 = {
    "depth": 2,
    "num_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "out_hidden_size": 32,
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0, 1],
}
# Scaled up, so that a random model tells responses apart.
_SPREAD = 0.2


def tokenizer(kind: str) -> Tokenizer:
    """One token a byte, and the family's special ones after them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True) for name in _SPECIAL[kind]])
    return made


def make(folder: Path, kind: str, seed: int = 0) -> Path:
    """A checkpoint of the family with its tokenizer, as from_pretrained reads it."""
    import transformers

    torch.manual_seed(seed)
    words = tokenizer(kind)
    ids = {name: words.token_to_id(name) for name in _SPECIAL[kind]}
    if kind == "qwen2":
        config = transformers.Qwen2Config(**_TEXT, initializer_range=_SPREAD)
        model = transformers.Qwen2ForCausalLM(config)
    elif kind == "qwen2_5_vl":
        config = transformers.Qwen2_5_VLConfig(
            text_config=_TEXT | {"rope_parameters": _ROPE, "initializer_range": _SPREAD},
            vision_config=_VISION | {"hidden_size": 32, "out_hidden_size": 32, "initializer_range": _SPREAD},
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
        )
        model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    elif kind == "qwen3_vl":
        config = transformers.Qwen3VLConfig(
            text_config=_TEXT | {"head_dim": 8, "rope_parameters": _ROPE, "initializer_range": _SPREAD},
            vision_config=_VISION3 | {"initializer_range": _SPREAD},
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
        )
        model = transformers.Qwen3VLForConditionalGeneration(config)
    elif kind == "qwen3_omni_moe_thinker":
        experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 8}
        config = transformers.Qwen3OmniMoeThinkerConfig(
            text_config=_TEXT | experts | {"rope_parameters": _ROPE, "initializer_range": _SPREAD},
            vision_config=_VISION3 | {"initializer_range": _SPREAD},
            audio_config={
                "d_model": 32,
                "encoder_layers": 2,
                "encoder_attention_heads": 2,
                "encoder_ffn_dim": 32,
                "output_dim": 32,
                "num_mel_bins": 16,
                "downsample_hidden_size": 8,
                "initializer_range": _SPREAD,
            },
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            audio_token_id=ids["<|audio_pad|>"],
            audio_start_token_id=ids["<|audio_start|>"],
            audio_end_token_id=ids["<|audio_end|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
        )
        model = transformers.Qwen3OmniMoeThinkerForConditionalGeneration(config)
    else:
        config = transformers.Qwen2_5OmniThinkerConfig(
            text_config=_TEXT | {"rope_parameters": _ROPE, "initializer_range": _SPREAD},
            vision_config=_VISION | {"hidden_size": 32, "out_hidden_size": 32, "initializer_range": _SPREAD},
            audio_config={
                "d_model": 32,
                "encoder_layers": 2,
                "encoder_attention_heads": 2,
                "encoder_ffn_dim": 32,
                "output_dim": 32,
                "num_mel_bins": 16,
                "max_source_positions": 1500,
                "n_window": 100,
                "initializer_range": _SPREAD,
            },
            image_token_id=ids["<|IMAGE|>"],
            video_token_id=ids["<|VIDEO|>"],
            audio_token_id=ids["<|AUDIO|>"],
            audio_start_token_id=ids["<|audio_bos|>"],
            audio_end_token_id=ids["<|audio_eos|>"],
            vision_start_token_id=ids["<|vision_bos|>"],
            vision_end_token_id=ids["<|vision_eos|>"],
        )
        model = transformers.Qwen2_5OmniThinkerForConditionalGeneration(config)
    if "audio_config" in config.to_dict():
        transformers.WhisperFeatureExtractor(
            feature_size=16, n_fft=400, hop_length=160, chunk_length=30
        ).save_pretrained(folder)
    model.save_pretrained(folder)
    words.save(str(folder / "tokenizer.json"))
    return folder


def image(
    seed: int, width: int = 90, height: int = 60, colour: tuple[int, int, int] | None = None
) -> MediumRef:
    rng = np.random.default_rng(seed)
    if colour is None:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    else:
        noise = rng.integers(-20, 21, (height, width, 3))
        pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    return _medium("image", partial(_webp, pixels), "web")


def mesh(seed: int) -> MediumRef:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    return _medium("mesh", partial(_webp, pixels), "sheet")


def _webp(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return out.getvalue()


def video(seed: int, frames: int = 24, rate: int = 8) -> MediumRef:
    def write() -> bytes:
        rng = np.random.default_rng(seed)
        out = io.BytesIO()
        with av.open(out, "w", format="mp4") as container:
            stream = container.add_stream("h264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for n in range(frames):
                pixels = np.full((48, 64, 3), rng.integers(0, 256, 3), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return out.getvalue()

    return _medium("video", write, "web")


def audio(seed: int, seconds: float = 0.7) -> MediumRef:
    def write() -> bytes:
        rng = np.random.default_rng(seed)
        time = np.arange(int(seconds * 16_000)) / 16_000
        wave_ = np.sin(2 * np.pi * rng.uniform(100, 2000) * time) * 0.5
        samples = (wave_ * 32767).astype(np.int16)
        out = io.BytesIO()
        with av.open(out, "w", format="flac") as container:
            stream = container.add_stream("flac", rate=16_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.rate = 16_000
            for packet in (*stream.encode(frame), *stream.encode()):
                container.mux(packet)
        return out.getvalue()

    return _medium("audio", write, "web")


def _medium(modality: str, write: Callable[[], bytes], kind: str) -> MediumRef:
    data = write()
    return MediumRef(sha256(data).digest(), modality, {kind: lambda: io.BytesIO(data)})


__all__ = ["audio", "image", "make", "mesh", "tokenizer", "video", "wave"]
