"""Rows for tests, made with the ORM: small, valid, with a default for what a test does not care about."""

import hashlib
from itertools import count
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from annotate.models import (
    Annotator,
    Asset,
    Claim,
    ClaimKind,
    Comparison,
    CriteriaRun,
    Criterion,
    Draw,
    Job,
    JobKind,
    JobState,
    Judgment,
    Membership,
    Modality,
    Outcome,
    Pair,
    Partition,
    Project,
    Prompt,
    PromptAsset,
    Proposal,
    ProposalState,
    Response,
    Role,
    Route,
    Seat,
    Stream,
    TaskType,
    User,
    Verdict,
)

_number = count(1)


def _hash(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def make_user(name: str = "", *, superuser: bool = False, password: str | None = "pass") -> User:
    """An account. Hashing a password takes long: None for one that nobody logs in with."""
    name = name or f"user{next(_number)}"
    create = User.objects.create_superuser if superuser else User.objects.create_user
    return create(name, f"{name}@example.org", password)


def make_project(**fields: Any) -> Project:
    number = next(_number)
    given = {"slug": f"project-{number}", "name": f"Project {number}", "task_type": TaskType.TEXT_TO_TEXT}
    return Project.objects.create(**{**given, **fields})


def make_member(project: Project, role: Role = Role.ANNOTATOR, user: User | None = None) -> User:
    user = user or make_user()
    Membership.objects.create(project=project, user=user, role=role, own_role=role)
    return user


def make_annotator(project: Project, user: User | None = None, **fields: Any) -> Annotator:
    return Annotator.objects.create(
        project=project, user=user, **{"pseudonym": f"annotator-{next(_number)}", **fields}
    )


def make_asset(
    project: Project,
    content: bytes,
    *,
    modality: Modality = Modality.IMAGE,
    extension: str = "png",
    **fields: Any,
) -> Asset:
    """The asset with these bytes, stored under a random key; one and the same for the same bytes."""
    digest = hashlib.sha256(content).digest()
    if found := Asset.objects.filter(project=project, sha256=digest).first():
        return found
    key = default_storage.save(f"assets/{uuid4().hex}", ContentFile(content))
    given = {
        "media_type": f"{modality}/{extension}",
        "extension": extension,
        "size": len(content),
        "key": key,
        "prepared": True,
    }
    return Asset.objects.create(project=project, sha256=digest, modality=modality, **{**given, **fields})


def make_pair(
    project: Project,
    *,
    prompt: str | list[dict[str, str]] | None = None,
    response1: str | Asset | None = None,
    response2: str | Asset | None = None,
    media: list[Asset] | None = None,
    models: tuple[str, str] = ("model-x", "model-y"),
    partition: Partition = Partition.TRAIN,
    source: str = "test",
    **fields: Any,
) -> Pair:
    """A pair, not in the queue yet. Prompts of the same content are one row and one prompt group."""
    number = next(_number)
    text = f"Prompt {number}?" if prompt is None else prompt
    turns = [{"role": "user", "text": text}] if isinstance(text, str) else text
    digest = _hash(turns, [asset.pk for asset in media or []])
    row, created = Prompt.objects.get_or_create(project=project, digest=digest, defaults={"turns": turns})
    if created:
        for position, asset in enumerate(media or []):
            PromptAsset.objects.create(prompt=row, asset=asset, position=position)
    responses = []
    for given, model, name in zip((response1, response2), models, ("first", "second"), strict=True):
        content = (
            {"asset": given}
            if isinstance(given, Asset)
            else {"text": given or f"The {name} answer, {number}."}
        )
        responses.append(Response.objects.create(project=project, model_name=model, **content))
    stream, _ = Stream.objects.get_or_create(project=project, partition=partition)
    Stream.objects.filter(pk=stream.pk).update(total=stream.total + 1)
    defaults = {
        "external_id": f"row-{number}",
        "task_type": project.task_type,
        "digest": _hash(number),
        "group": int.from_bytes(digest[:8], "big", signed=True),
        "shuffle": int.from_bytes(_hash(project.salt, number)[:8], "big", signed=True),
    }
    pair = Pair.objects.create(
        project=project,
        source=source,
        partition=partition,
        prompt=row,
        response1=responses[0],
        response2=responses[1],
        **{**defaults, **fields},
    )
    pair.refresh_from_db(fields=["need"])  # which PostgreSQL wrote
    return pair


def make_criterion(project: Project, text: str = "Which answer is better?", **fields: Any) -> Criterion:
    """The project's criterion of this text; one and the same for the same text."""
    key = hashlib.sha256(" ".join(text.split()).casefold().encode()).digest()
    criterion, _ = Criterion.objects.get_or_create(
        project=project, text_key=key, defaults={"text": text, **fields}
    )
    return criterion


def make_comparison(
    pair: Pair, criterion: str | Criterion = "Which answer is better?", **fields: Any
) -> Comparison:
    if isinstance(criterion, str):
        criterion = make_criterion(pair.project, criterion)
    return Comparison.objects.create(pair=pair, criterion=criterion, **{"k": 3, **fields})


def judge(
    comparison: Comparison,
    verdict: Verdict | str,
    annotator: Annotator | None = None,
    *,
    flip: bool = False,
    seated: bool = True,
    supersedes: Judgment | None = None,
    route: Route | None = None,
    kind: ClaimKind = ClaimKind.LABEL,
    of: Judgment | None = None,
    **fields: Any,
) -> Judgment:
    """A judgment as the judge page leaves it: a submitted claim, the judgment and, unless told not, its seat.

    `of`: the judgment that is asked again, of a repeat.

    `supersedes` makes it a revision of the same annotator's, which moves the seat to it.
    """
    now = timezone.now()
    if supersedes:
        annotator, claim = supersedes.annotator, supersedes.claim
    else:
        annotator = annotator or make_annotator(comparison.pair.project)
        if route is None:
            route = Route.UNIFORM if comparison.pair.partition == Partition.TRAIN else Route.RESERVE
        by_chance = route in (Route.UNIFORM, Route.POLICY)
        # A pair is drawn once: who judges it after the first comes by the same draw.
        draw = Draw.objects.filter(pair=comparison.pair, route=route).first() or Draw.objects.create(
            project=comparison.pair.project,
            route=route,
            epoch=1,
            pos=next(_number),
            pair=comparison.pair,
            q=0.25 if by_chance else None,
            pool_size=4 if by_chance else None,
        )
        claim = Claim.objects.create(
            draw=draw,
            pair=comparison.pair,
            annotator=annotator,
            comparison_ids=[comparison.pk],
            flip=flip,
            kind=kind,
            repeat_of=of.claim if of else None,
            created_at=now,
            expires_at=now,
            closed_at=now,
            outcome=Outcome.SUBMITTED,
        )
    judgment = Judgment.objects.create(
        claim=claim,
        annotator=annotator,
        comparison=comparison,
        supersedes=supersedes,
        verdict=verdict,
        created_at=now,
        **fields,
    )
    if supersedes:
        Seat.objects.filter(comparison=comparison, annotator=annotator).update(
            head=None if verdict == Verdict.RETRACTED else judgment
        )
    elif seated:
        taken = set(Seat.objects.filter(comparison=comparison).values_list("n", flat=True))
        free = next(n for n in range(1, comparison.k + 1) if n not in taken)
        Seat.objects.create(
            comparison=comparison, n=free, k=comparison.k, annotator=annotator, claim=claim, head=judgment
        )
    return judgment


def make_proposal(pair: Pair, text: str, *, reason: str = "It repeats another.", **fields: Any) -> Proposal:
    """A criterion that a model wrote and that was rejected, in a run of its own."""
    project = pair.project
    job = Job.objects.create(kind=JobKind.WRITE, project=project, state=JobState.DONE)
    run = CriteriaRun.objects.create(
        project=project, job=job, digest=_hash(next(_number)).hex(), recipe={}, writer="writer-7b"
    )
    given = {"label": "response1", "state": ProposalState.REJECTED, "reason": reason, "cost": 0.0025}
    return Proposal.objects.create(run=run, pair=pair, n=1, text=text, **{**given, **fields})
