"""ms-swift's own command trains a tiny random Qwen2.5-Omni by GRPO on rows of a release: run in its environment.

    python swift_step.py ROWS SCRATCH

What is looked at is that its loader, its template with stock processors and its trainer take our rows, media and reward; a
random model has nothing to learn.
"""

import json
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1",
    ENABLE_AUDIO_OUTPUT="0",
    FPS_MAX_FRAMES="4",
    VIDEO_MAX_PIXELS=str(112 * 112),
    MAX_PIXELS=str(112 * 112),
    FORCE_QWENVL_VIDEO_READER="decord",
)
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.reward_models.large import tiny

LENGTH = """
from swift.rewards import ORM, orms

class Length(ORM):
    def __call__(self, completions, **others):
        return [len(reply) / 10 for reply in completions]

orms["length"] = Length
"""


def name_operators() -> torch.library.Library:
    """torchvision's operators are compiled for CUDA and cannot be loaded beside a CPU build of torch. Here they are named alone, so
    that its Python imports; what resizes pictures needs none of them."""
    found = find_spec("torchvision")
    assert found and found.submodule_search_locations
    source = (Path(found.submodule_search_locations[0]) / "_meta_registrations.py").read_text()
    operators = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(re.findall(r'register_meta\("(\w+)"\)|torchvision::(\w+)', source))):
        operators.define(f"{name[0] or name[1]}(Tensor x) -> Tensor")
    return operators


def checkpoint(folder: Path) -> Path:
    """A whole Qwen2.5-Omni but for its voice, with processors, as published ones are laid out."""
    import transformers
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    kind = "qwen2_5_omni_thinker"
    thinker = folder / "thinker"
    thinker.mkdir(parents=True)
    tiny.make(thinker, kind)
    inner = transformers.AutoConfig.from_pretrained(thinker)
    config = transformers.Qwen2_5OmniConfig(
        thinker_config=getattr(inner, "thinker_config", inner).to_dict(), enable_audio_output=False
    )
    torch.manual_seed(0)
    transformers.Qwen2_5OmniForConditionalGeneration(config).save_pretrained(folder)
    torch.save({}, folder / "spk_dict.pt")  # its voices, which are looked for
    names = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tiny.tokenizer(kind),
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        extra_special_tokens=names,
    )
    transformers.Qwen2_5OmniProcessor(
        image_processor=Qwen2VLImageProcessor(),
        video_processor=Qwen2VLVideoProcessor(),
        feature_extractor=transformers.WhisperFeatureExtractor(
            feature_size=16, n_fft=400, hop_length=160, chunk_length=30
        ),
        tokenizer=tokenizer,
        chat_template="{% for message in messages %}{{ message['content'] }}{% endfor %}",
    ).save_pretrained(folder)
    return folder


def main(rows: Path, scratch: Path) -> None:
    every = [json.loads(line) for line in (rows / "train.jsonl").read_text().splitlines()]
    kept = [row for row in every if row.get("audios") or row.get("videos")]
    of_one = {name: [row for row in kept if row.get(name)][:4] for name in ("audios", "videos")}
    chosen = [row for some in of_one.values() for row in some]
    (scratch / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))

    # Rewards that are all nothing, as a random model earns, have no gradient: length tells its replies apart.
    (scratch / "length.py").write_text(LENGTH)

    import swift
    from safetensors.torch import load_file
    from swift.pipelines import rlhf_main

    model = checkpoint(scratch / "omni")
    out = scratch / "trained"
    rlhf_main(
        [
            *("--rlhf_type", "grpo", "--model", str(model), "--model_type", "qwen2_5_omni"),
            *("--template", "qwen2_5_omni", "--dataset", str(scratch / "some.jsonl")),
            *("--external_plugins", str(rows / "reward.py"), str(scratch / "length.py")),
            *("--reward_funcs", "evenhand_verdict", "length"),
            *("--num_generations", "2", "--per_device_train_batch_size", "2", "--max_steps", "2"),
            *("--gradient_accumulation_steps", "1", "--max_completion_length", "8", "--max_length", "8000"),
            *("--tuner_type", "lora", "--lora_rank", "2", "--target_modules", "all-linear"),
            *("--torch_dtype", "float32", "--use_vllm", "false", "--gradient_checkpointing", "false"),
            *("--learning_rate", "1e-3", "--beta", "0.1", "--output_dir", str(out), "--add_version", "false"),
            *("--report_to", "none", "--logging_steps", "1", "--save_strategy", "steps", "--save_steps", "2"),
            *("--dataloader_num_workers", "0", "--use_hf", "true", "--split_dataset_ratio", "0"),
            *("--load_from_cache_file", "false"),
        ]
    )
    state = json.loads(next(out.rglob("trainer_state.json")).read_text())
    adapter = load_file(next(out.rglob("adapter_model.safetensors")))
    log = state["log_history"]
    told = {
        "version": swift.__version__,
        "rows": len(chosen),
        "media": sorted({name for row in chosen for name in ("audios", "videos") if row.get(name)}),
        "steps": state["global_step"],
        # What multiplies begins with is nothing: it is not once a gradient came through.
        "moved": sum(float(value.abs().sum()) for name, value in adapter.items() if "lora_B" in name),
        "rewards": sorted(
            {key.split("/")[1] for one in log for key in one if re.match("rewards/.*/mean", key)}
        ),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    OPERATORS = name_operators()  # they are there for as long as this is
    main(Path(sys.argv[1]), Path(sys.argv[2]))
