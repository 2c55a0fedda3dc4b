"""What it costs to find the prompts of a release that mean the same, by the processor's seconds: embedding them, and comparing all.

Texts are of random words, vectors drawn at random: an exact comparison takes as long whatever they say. Prints JSON. Needs no server.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the settings have it

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotate.nearest import near_groups
from workers.reward_models.features import encoder

WORDS = 40  # of a text, about as many as a prompt of PandaLM has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, nargs="+", default=[10_000, 20_000])
    parser.add_argument("--embedded", type=int, default=200, help="prompts that are embedded")
    options = parser.parse_args()
    chance = np.random.default_rng(0)
    words = [f"word{n}" for n in range(1000)]
    encoder.embed(["warm"])
    texts = [" ".join(chance.choice(words, WORDS)) for _ in range(options.embedded)]
    began = time.process_time()
    encoder.embed(texts)
    told = {"bench": "nearest", "embedding_ms": round(1000 * (time.process_time() - began) / len(texts), 1)}
    for count in options.prompts:
        vectors = chance.normal(size=(count, 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        half = vectors.astype(np.float16)
        began = time.process_time()
        near_groups(half, 0.85)
        told[f"comparing_{count}_s"] = round(time.process_time() - began, 1)
    told["most_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
