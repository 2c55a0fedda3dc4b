"""How fast a large reward model scores: pairs a second, the share of the device's arithmetic, and what fanned-out criteria save.

It makes its own data and a model of Qwen2.5-VL-7B's shapes with random weights on a GPU, a tiny one without: speed does not
hang on what weights say. The ceiling is measured, too: a matrix product on the same device. Prints JSON.
"""

import argparse
import json
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from workers.reward_models.base import Compared, MediumRef, Side
from workers.reward_models.large.backbone import Backbone, assemble, pick_device
from workers.reward_models.large.encode import Encoded, Encoder
from workers.reward_models.large.scoring import hidden
from workers.reward_models.large.settings import LargeSettings

SPECIAL = "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|>".split()
TEXT_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}
VISION_7B = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "fullatt_block_indexes": [7, 15, 23, 31],
}
TEXT_TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
}
VISION_TINY = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 64,
    "fullatt_block_indexes": [1],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, help="pairs a run (256 on a GPU, 4 without)")
    parser.add_argument("--prefix", type=int, help="tokens that criteria share (1500 on a GPU, 300 without)")
    parser.add_argument("--criterion", type=int, default=60, help="tokens of a criterion")
    parser.add_argument("--criteria", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--batch-tokens", type=int, help="32768 on a GPU, 8192 without")
    options = parser.parse_args()
    device = pick_device()
    gpu = device.type == "cuda"
    pairs, prefix = options.pairs or (256 if gpu else 4), options.prefix or (1500 if gpu else 300)
    settings = LargeSettings("random", batch_tokens=options.batch_tokens or (32_768 if gpu else 8_192))
    model = random_model(settings, device)
    weights = (
        sum(one.numel() for one in model.language.parameters()) - model.language.embed_tokens.weight.numel()
    )
    ceiling = matrix_rate(device)
    told: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if gpu else "CPU",
        "gpu": gpu,
        "note": ""
        if gpu
        else "There was no GPU: a tiny model on the CPU, whose figures say nothing of a large one.",
        "torch": torch.__version__,
        "weights_of_decoder": weights,
        "ceiling_tflops": round(ceiling / 1e12, 3),
        "prefix_tokens": prefix,
        "criterion_tokens": options.criterion,
        "runs": [
            measured(model, weights, ceiling, pairs, prefix, options.criterion, k) for k in options.criteria
        ],
        "pictures_per_second": round(pictures(model, 32 if gpu else 4), 2),
    }
    print(json.dumps(told, indent=2))


def random_model(settings: LargeSettings, device: torch.device) -> Backbone:
    import transformers

    words = Tokenizer(
        models.BPE({one: n for n, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    gpu = device.type == "cuda"
    ids = {name: words.token_to_id(name) for name in SPECIAL}
    config = transformers.Qwen2_5_VLConfig(
        text_config=(TEXT_7B if gpu else TEXT_TINY)
        | {"max_position_embeddings": 32_768, "bos_token_id": None, "eos_token_id": None},
        vision_config=VISION_7B if gpu else VISION_TINY,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    config._attn_implementation = "sdpa"
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16 if gpu else torch.float32)
    try:
        with device:
            model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    return assemble(model, words, settings, device, "random")


def matrix_rate(device: torch.device) -> float:
    """Operations a second of one large matrix product, the best of some: what the device can do at most."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(8):
        began = now(device)
        left @ right
        best = max(best, 2 * size**3 / (now(device) - began))
    return best


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measured(
    model: Backbone, weights: int, ceiling: float, pairs: int, prefix: int, criterion: int, criteria: int
) -> dict[str, Any]:
    """Both ways of the same work; a first, smaller run of each warms up."""
    encoded = data(model, pairs, prefix, criterion, criteria)
    most = model.settings.batch_tokens
    told: dict[str, Any] = {"criteria": criteria, "comparisons": pairs * criteria}
    for name, fan_out in (("one_by_one", False), ("fanned_out", True)):
        hidden(model, encoded[: 4 * criteria], most, fan_out=fan_out)
        if model.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(model.device)
        began = now(model.device)
        states = hidden(model, encoded, most, fan_out=fan_out)
        seconds = now(model.device) - began
        shared = fan_out and criteria > 1
        responses = 2 * pairs
        tokens = responses * (prefix + criteria * criterion if shared else criteria * (prefix + criterion))
        told[name] = {
            "seconds": round(seconds, 3),
            "pairs_per_second": round(pairs / seconds, 2),
            "comparisons_per_second": round(pairs * criteria / seconds, 2),
            "tokens_per_second": round(tokens / seconds),
            # Two operations a weight and token; attention itself is left out, so the true share is a little higher.
            "share_of_ceiling": round(2 * weights * tokens / seconds / ceiling, 3),
            "peak_gib": round(torch.cuda.max_memory_allocated(model.device) / 2**30, 2)
            if model.device.type == "cuda"
            else None,
        }
        told[name + "_states"] = states
    one, fanned = told.pop("one_by_one_states"), told.pop("fanned_out_states")
    told["speed_up"] = round(told["one_by_one"]["seconds"] / told["fanned_out"]["seconds"], 2)
    told["largest_difference"] = float((one - fanned).abs().max())
    return told


def data(model: Backbone, pairs: int, prefix: int, criterion: int, criteria: int) -> list[Encoded]:
    """Responses whose shared part and criteria have exactly so many tokens: one letter is one here."""
    rng = np.random.default_rng(0)
    encoder = Encoder(model, "criterion-last", 10**6)
    empty = Compared("", "", Side(""), Side(""))
    bare = encoder(empty, empty.first)
    words = ["".join(chr(97 + n) for n in rng.integers(26, size=criterion)) for _ in range(criteria)]
    words = [word[: max(1, criterion - len(bare.own))] for word in words]
    encoded = []
    for _ in range(pairs):
        letters = "".join(chr(97 + n) for n in rng.integers(26, size=2 * prefix))
        room = max(2, prefix - len(bare.shared))
        sides = Side(letters[:room]), Side(letters[prefix : prefix + room])
        for word in words:
            item = Compared("", word, *sides)
            encoded += [encoder(item, item.first), encoder(item, item.second)]
    return encoded


def pictures(model: Backbone, count: int) -> float:
    """Pictures of 768 x 768 pixels a second, from the file to embeddings."""

    def picture(seed: int) -> MediumRef:
        pixels = np.random.default_rng(seed).integers(0, 256, (768, 768, 3), dtype=np.uint8)
        out = BytesIO()
        Image.fromarray(pixels).save(out, "WEBP", quality=80)
        return MediumRef(bytes([seed]) * 32, "image", {"web": lambda: BytesIO(out.getvalue())})

    made = [picture(n) for n in range(count + 1)]
    model.embed(made[0])
    began = now(model.device)
    for one in made[1:]:
        model.embed(one)
    return count / (now(model.device) - began)


if __name__ == "__main__":
    main()
