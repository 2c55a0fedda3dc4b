"""Asking judges about the rows of a benchmark: an endpoint in many threads, a registered revision in batches."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from annotate.imports.media_source import MediaSource
from annotate.imports.record import MediaRef, RowError
from annotate.imports.record import Side as RowSide
from annotate.modalities import MediaError
from workers.evaluation.answers import Answer, Answers, Said
from workers.evaluation.benches import Bench, BenchRow
from workers.evaluation.renditions import Renditions
from workers.reward_models.base import Compared, MediumRef, Opinion, RewardModel, Side, Without
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.judge import ChatJudge
from workers.threads import in_threads

if TYPE_CHECKING:
    from workers.reward_models.generative.local import LocalJudge

BATCH = 256  # rows that a revision scores at a time

# Is told how many rows are done.
Tell = Callable[[int], None]


class Items:
    """The rows of a benchmark as models see them; a file that cannot be opened is the row's error."""

    def __init__(self, bench: Bench, renditions: Renditions) -> None:
        self._source: MediaSource = bench.media()
        self._renditions = renditions

    def close(self) -> None:
        self._source.close()

    def item(self, row: BenchRow) -> Compared | str:
        """The item, or why it cannot be shown."""
        try:
            return Compared(
                prompt_text="\n\n".join(said for _, said in row.pair.turns),
                criterion=row.criterion,
                first=self._side(row.pair.response1),
                second=self._side(row.pair.response2),
                task_type=row.pair.task_type,
                prompt_media=tuple(self._medium(ref) for ref in row.pair.media),
            )
        except (RowError, MediaError) as error:
            return str(error)

    def _side(self, side: RowSide) -> Side:
        return Side(side.text, self._medium(side.media) if side.media else None)

    def _medium(self, ref: MediaRef) -> MediumRef:
        try:
            return self._renditions.medium(ref, self._source)
        except MediaError as error:
            raise MediaError(f"{ref.path or ref.field} {error}") from None


def ask(judge: "ChatJudge | LocalJudge", bench: Bench, items: Items, tell: Tell) -> Answers:
    """Ask a judge in words about every row, in the orders and protocols of its specification.

    Replies are kept as they come: whoever interrupts it and asks again goes on where it was.

    Raises:
        JudgeBroken: it answers nothing.
    """
    spec, rows = judge.spec, bench.rows
    orders = (False, True) if spec.orders == "both" else (False,)
    protocols = {"both": (True, False), "with": (True,), "without": (False,)}[spec.ties]
    found: list[dict[tuple[bool, bool], Opinion]] = [{} for _ in rows]

    def of(row: BenchRow) -> dict[tuple[bool, bool], Opinion]:
        item = items.item(row)
        asked = [(ties, turned) for ties in protocols if ties or row.label for turned in orders]
        if isinstance(item, str):
            return dict.fromkeys(asked, Opinion(without=Without.ERROR, detail=item))
        return {
            (ties, turned): judge.judge(item.swapped() if turned else item, ties=ties)
            for ties, turned in asked
        }

    for place, opinions in in_threads(of, rows, spec.concurrency, judge.stop):
        found[place] = opinions
        tell(1)

    def of_orders(one: dict[tuple[bool, bool], Opinion], ties: bool) -> tuple[Said, ...]:
        return tuple(Said.of(one[ties, turned], turned=turned) for turned in orders if (ties, turned) in one)

    answers = [Answer(of_orders(one, True), of_orders(one, False)) for one in found]
    tokens: Counter[str] = Counter()
    for opinion in (opinion for one in found for opinion in one.values()):
        tokens["in"] += opinion.tokens_in
        tokens["out"] += opinion.tokens_out
        tokens["spent_in"] += opinion.spent_in
        tokens["spent_out"] += opinion.spent_out
        tokens["replies"] += opinion.replies
    about: dict[str, Any] = {
        "model": spec.model,
        "revision": judge.revision,
        "template": judge.template,
        "modalities": sorted(judge.modalities),
        "orders": spec.orders,
        "ties": spec.ties,
        "form": spec.form,
        "temperature": spec.temperature,
    }
    return Answers(
        "verdicts",
        spec.title,
        about,
        answers,
        {name: tokens[name] for name in ("in", "out", "spent_in", "spent_out", "replies")},
        spec.cost(tokens["in"], tokens["out"]),
        spec.cost(tokens["spent_in"], tokens["spent_out"]),
    )


def score(
    model: RewardModel,
    title: str,
    about: dict[str, Any],
    bench: Bench,
    items: Items,
    cache: FeatureCache,
    tell: Tell,
) -> Answers:
    """Score every row by a trained model."""
    answers: list[Answer] = []
    for start in range(0, len(bench.rows), BATCH):
        made = [items.item(row) for row in bench.rows[start : start + BATCH]]
        shown = [item for item in made if isinstance(item, Compared)]
        scored = model.score(shown, cache=cache) if shown else None
        place = 0
        for item in made:
            if isinstance(item, str):
                answers.append(Answer(without=Without.ERROR, detail=item))
            else:
                assert scored is not None
                answers.append(Answer(margin=float(scored.margin[place]), p_tie=float(scored.p_tie[place])))
                place += 1
        tell(len(made))
    return Answers("scores", title, about, answers)
