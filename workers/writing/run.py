"""The job that has models write criteria for a project's pairs. Killed anywhere, it goes on and asks nothing twice: replies
are kept by content before anything is made of them, and a pair's proposals are kept whole or not at all.
"""

from collections.abc import Iterator
from contextlib import closing

from django.conf import settings
from django.db import transaction

from annotate.actions.jobs import Lease, Refused
from annotate.actions.writing import keep_proposals
from annotate.models import CriteriaRun
from annotate.written import cost_of, criteria_of_pairs, kept_pairs, pairs_to_write_for
from workers.items import without_criterion
from workers.reward_models.base import JudgeBroken
from workers.reward_models.judge import ChatJudge, SpecError
from workers.reward_models.reply_cache import DirectoryReplies
from workers.threads import in_threads
from workers.writing.drafts import Asked, drafts_of
from workers.writing.recipe import Recipe, RecipeError, recipe_of
from workers.writing.writer import ChatWriter

READ_AT_ONCE = 100  # pairs


def run(lease: Lease) -> None:
    """Write for every pair that the recipe chooses and the run has not kept, until the cost limit is reached.

    Raises:
        Refused: a model answers nothing, or its key is not there.
    """
    job = lease.job
    found = CriteriaRun.objects.select_related("project").get(job=job)
    try:
        recipe = recipe_of(found.recipe)
        writer, verifiers = _models(recipe)
    except (RecipeError, SpecError) as error:
        raise Refused(str(error)) from None
    most_cost = job.spec.get("most_cost")
    done, spent = kept_pairs(found), cost_of(found) or 0.0
    pairs = pairs_to_write_for(found, recipe.pairs.most)
    lease.beat(step="writing criteria", done=done, total=done + len(pairs))

    def stop() -> None:
        writer.stop()
        for verifier in verifiers:
            verifier.stop()

    def asked() -> Iterator[Asked]:
        for start in range(0, len(pairs), READ_AT_ONCE):
            some = pairs[start : start + READ_AT_ONCE]
            items, known = without_criterion(some), criteria_of_pairs(some)
            for pair in some:
                if most_cost is not None and spent >= most_cost:
                    return
                yield Asked(pair, items[pair], known.get(pair, ()))

    width = recipe.writer.concurrency
    try:
        with closing(
            in_threads(lambda one: (one, drafts_of(one, recipe, writer, verifiers)), asked(), width, stop)
        ) as results:
            for _, (one, drafts) in results:
                with transaction.atomic():
                    kept = keep_proposals(run=found, pair=one.pair, drafts=drafts)
                    done += 1
                    spent += sum(proposal.cost or 0.0 for proposal in kept)
                    lease.beat(done=done, step=f"writing criteria{f', cost {spent:.2f}' if spent else ''}")
    except JudgeBroken as error:
        raise Refused(str(error)) from None
    if most_cost is not None and spent >= most_cost and done < (job.total or 0):
        lease.beat(step=f"stopped: the replies cost {spent:.2f}", finishing=True)


def _models(recipe: Recipe) -> tuple[ChatWriter, list[ChatJudge]]:
    replies = DirectoryReplies(settings.DATA_DIR / "replies")
    writer = ChatWriter.from_spec(recipe.writer, replies, recipe.words, recipe.per_pair)
    return writer, [ChatJudge.from_spec(spec, replies) for spec in recipe.verifiers]
