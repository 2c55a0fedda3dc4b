"""What a run will take, before anything is asked: tokens by the texts' length and the pictures' size, and their price."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from workers.reward_models.judge import JudgeSpec
from workers.reward_models.judge_template import SYSTEM as JUDGING
from workers.writing.recipe import Recipe

# Rules of thumb; docs/criteria.md says them. Tokenisers and models differ by half and more.
CHARACTERS = 4  # of a token
PATCH = 28  # pixels a side that a picture's token stands for, as of Qwen2.5-VL
SOUND = 25  # tokens a second of sound
CLIP = 30  # seconds that a sound is taken for
CRITERION, VERDICT = 80, 150  # tokens of an answer

_SIZES = """
    SELECT sum(length(t.turns::text) + length(r1.text) + length(r2.text))::bigint,
           sum((SELECT count(*) FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
                WHERE m.prompt_id = p.prompt_id AND a.modality IN ('image', 'mesh')))::bigint
               + count(*) FILTER (WHERE a1.modality IN ('image', 'mesh'))
               + count(*) FILTER (WHERE a2.modality IN ('image', 'mesh')),
           sum((SELECT count(*) FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
                WHERE m.prompt_id = p.prompt_id AND a.modality = 'video'))::bigint,
           count(*) FILTER (WHERE a1.modality = 'video') + count(*) FILTER (WHERE a2.modality = 'video'),
           sum((SELECT count(*) FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
                WHERE m.prompt_id = p.prompt_id AND a.modality = 'audio'))::bigint
               + count(*) FILTER (WHERE a1.modality = 'audio') + count(*) FILTER (WHERE a2.modality = 'audio')
    FROM annotate_pair p JOIN annotate_prompt t ON t.id = p.prompt_id
    JOIN annotate_response r1 ON r1.id = p.response1_id LEFT JOIN annotate_asset a1 ON a1.id = r1.asset_id
    JOIN annotate_response r2 ON r2.id = p.response2_id LEFT JOIN annotate_asset a2 ON a2.id = r2.asset_id
    WHERE p.id = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of so many pairs: requests, tokens, and the cost where all models have prices. Each proposal is taken as verified."""

    pairs: int
    requests: int
    tokens_in: int
    tokens_out: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class _Sizes:
    characters: int = 0
    pictures: int = 0
    prompt_videos: int = 0
    response_videos: int = 0
    sounds: int = 0

    def tokens(self, spec: JudgeSpec) -> int:
        """Of one showing of all these pairs, without the words around them."""
        frames = self.prompt_videos * spec.prompt_frames + self.response_videos * spec.response_frames
        picture = math.ceil(spec.image_side / PATCH) ** 2
        return self.characters // CHARACTERS + (self.pictures + frames) * picture + self.sounds * CLIP * SOUND


def estimate(recipe: Recipe, pairs: Sequence[int]) -> Estimate:
    """Nothing is asked. Replies that cannot be read and tries again are not foreseen."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES, [list(pairs)])
        sizes = _Sizes(*(found or 0 for found in cursor.fetchone()))
    asked = recipe.asked_for
    parts = [(recipe.writer, 1, len(recipe.words), CRITERION * asked)]
    parts += [(verifier, 2 * asked, len(JUDGING), VERDICT) for verifier in recipe.verifiers]
    requests = tokens_in = tokens_out = 0
    cost: float | None = 0.0
    for spec, times, system, answer in parts:
        into = times * (sizes.tokens(spec) + len(pairs) * (system // CHARACTERS))
        out = times * len(pairs) * answer
        requests, tokens_in, tokens_out = requests + times * len(pairs), tokens_in + into, tokens_out + out
        price = spec.cost(into, out)
        cost = None if cost is None or price is None else cost + price
    return Estimate(len(pairs), requests, tokens_in, tokens_out, cost)
