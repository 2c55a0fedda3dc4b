"""Each rule that the database keeps by itself: broken on purpose, it is refused by name, and by nothing else.

The table is written by hand; which constraints, unique indexes and triggers there are is asked of PostgreSQL. One that
is not in the table fails, unless STRUCTURAL says why it needs no breach.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, models, transaction
from django.db.utils import IntegrityError
from django.utils import timezone

from annotate import audit
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AnnotatorGroup,
    Asset,
    Claim,
    Comment,
    CommentSeen,
    Comparison,
    Consent,
    ConsentText,
    CriteriaRun,
    Criterion,
    CrowdArrival,
    DataImport,
    Derivative,
    Draw,
    Evaluation,
    Exclusion,
    FrozenComparison,
    FrozenJudgment,
    FrozenMember,
    Gold,
    GroupMember,
    Invitation,
    Job,
    Judgment,
    Membership,
    Need,
    Pair,
    PoolRule,
    Project,
    Prompt,
    PromptAsset,
    Proposal,
    Qualification,
    Rationale,
    Reach,
    Release,
    Resolution,
    ReviewItem,
    Revision,
    RevisionTest,
    Score,
    Seat,
    Stream,
    Team,
    TeamMember,
    TeamRole,
    Trial,
    User,
)
from tests.factories import (
    judge,
    make_annotator,
    make_asset,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
)

pytestmark = pytest.mark.django_db

# (what the constraint is, by its kind and definition; why it is not broken here)
STRUCTURAL = [
    (
        r"p PRIMARY KEY \((id|project_id|claim_id|criterion_id|digest)\)",
        "a row's own name, which others refer to",
    ),
    (r"f FOREIGN KEY \(\w+\) REFERENCES .*", "a plain reference: Django makes it, and knows it"),
    (r"n NOT NULL .*", "a column that must be filled"),
    (r"c CHECK \(\(\"?\w+\"? >= 0\)\)", "the type of a positive number"),
    (r"u UNIQUE \(id, comparison_id\)", "what the composite key of resolutions refers to"),
    (r"u UNIQUE \(id, k\)|u UNIQUE \(id, comparison_id, annotator_id\)", "what composite keys refer to"),
    (
        r"u UNIQUE \(user_id, (group|permission)_id\)",
        "of Django's groups and permissions, which nothing uses",
    ),
]


def again(model: type[models.Model], where: str = "true", **changed: str) -> str:
    """The statement that inserts each row once more, some columns changed, under a new id."""
    columns = [field.column for field in model._meta.concrete_fields]
    if isinstance(model._meta.pk, models.UUIDField):
        changed.setdefault("id", "gen_random_uuid()")
    elif isinstance(model._meta.pk, models.AutoField):
        columns.remove("id")
    into = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(str(column), f'"{column}"') for column in columns)
    table = model._meta.db_table
    return f"INSERT INTO {table} ({into}) SELECT {values} FROM {table} WHERE {where} LIMIT 1"


def judged_again(**changed: str) -> str:
    return again(Judgment, "id = '{judgment}'", **changed)


@dataclass(frozen=True)
class Breach:
    """`also`: further constraints that would refuse it as well, each by itself."""

    statement: str
    also: tuple[str, ...] = ()


def _of(table: str, **settings: str) -> dict[str, str]:
    return {name: f"UPDATE {table} SET {setting}" for name, setting in settings.items()}


# By the constraint's name; a trigger is named with its table.
BREACHES: dict[str, str | Breach | list[str]] = {
    "annotator_group_has_name": "UPDATE annotate_annotatorgroup SET name = ''",
    "annotator_group_name": again(AnnotatorGroup),
    "group_member_once": again(GroupMember),
    "frozen_member_once": again(FrozenMember),
    "need_once": again(Need),
    "annotate_need.final_need": "UPDATE annotate_need SET language = 'ko'",
    "pool_rule_once": again(PoolRule),
    "reach_once": again(Reach),
    "team_has_name": "UPDATE annotate_team SET name = ''",
    "annotate_team_name_key": again(Team),
    "team_member_once": again(TeamMember),
    "team_role_once": again(TeamRole),
    "annotate_frozenmember.append_only": [
        "UPDATE annotate_frozenmember SET name = 'another'",
        "DELETE FROM annotate_frozenmember",
    ],
    "annotator_pseudonym": again(Annotator, user_id="NULL"),
    "comment_says_or_retracts": [
        again(Comment, "retracts_id IS NULL", text="''"),
        again(Comment, "retracts_id IS NOT NULL", retracts_id="id", text="'Both.'"),
    ],
    "comment_to_all_or_one": again(Comment, "annotator_id IS NOT NULL", to_all="true"),
    "comment_revise_to_one": again(Comment, "revise_id IS NOT NULL", annotator_id="NULL"),
    "annotate_comment_retracts_id_key": again(Comment, "retracts_id IS NOT NULL"),
    "annotate_comment.append_only": [
        "UPDATE annotate_comment SET text = 'Another one.' WHERE text <> ''",
        "DELETE FROM annotate_comment WHERE retracts_id IS NOT NULL",
    ],
    "annotate_commentseen_pkey": again(CommentSeen),
    "annotator_user": again(Annotator, "user_id IS NOT NULL", pseudonym="'another'"),
    "annotate_asset_key_key": again(Asset, sha256=r"'\x00'"),
    "asset_once": again(Asset, key="'another'"),
    "asset_prepared_or_problem": "UPDATE annotate_asset SET prepared = true, problem = 'is broken'",
    "claim_closed_with_outcome": "UPDATE annotate_claim SET closed_at = NULL",
    "annotate_claim_repeat_of_id_key": (
        "UPDATE annotate_claim SET repeat_of_id = '{claim}', kind = 'repeat' WHERE kind = 'label'"
    ),
    "claim_by_a_draw": [
        "UPDATE annotate_claim SET draw_id = NULL WHERE kind = 'label'",
        "UPDATE annotate_claim SET draw_id = {draw} WHERE kind = 'gold'",
    ],
    "claim_untold_once": again(Claim, "kind = 'gold'"),
    "claim_of_a_trial": [
        "UPDATE annotate_claim SET trial_id = {trial} WHERE kind = 'gold'",
        "UPDATE annotate_claim SET kind = 'quiz', repeat_of_id = NULL WHERE kind = 'gold'",
    ],
    "qualification_once": again(Qualification),
    "qualification_way": [
        "UPDATE annotate_qualification SET passed_at = NULL",
        "UPDATE annotate_qualification SET way = ''",
    ],
    "qualification_let_in_with_reason": "UPDATE annotate_qualification SET way = 'let_in', reason = ''",
    "trial_once": again(Trial, "ended_at IS NOT NULL"),
    "trial_open_once": again(Trial, "ended_at IS NULL", number="9"),
    "trial_ended_with_result": [
        "UPDATE annotate_trial SET result = ''",
        "UPDATE annotate_trial SET result = 'failed' WHERE ended_at IS NULL",
    ],
    "claim_repeats_another": [
        "UPDATE annotate_claim SET kind = 'repeat' WHERE kind = 'label'",
        "UPDATE annotate_claim SET repeat_of_id = '{claim}' WHERE id = '{claim}'",
    ],
    "comparison_k": "UPDATE annotate_comparison SET k = 10",
    "comparison_extra": "UPDATE annotate_comparison SET extra = k",
    "criterion_k": "UPDATE annotate_criterion SET k = 10",
    "comparison_once": again(Comparison),
    "consent_text_version": again(ConsentText),
    "annotate_consenttext.append_only": [
        "UPDATE annotate_consenttext SET text = 'Another one.'",
        "DELETE FROM annotate_consenttext WHERE id = {unanswered}",
    ],
    "annotate_consent.append_only": [
        "UPDATE annotate_consent SET given = false",
        "DELETE FROM annotate_consent",
    ],
    "criterion_not_own_canonical": "UPDATE annotate_criterion SET canonical_id = id",
    "criterion_once": again(Criterion),
    "criterion_state": "UPDATE annotate_criterion SET state = 'liked', in_library = false",
    "criterion_rejected_with_reason": "UPDATE annotate_criterion SET state = 'rejected', in_library = false",
    "criterion_library_is_accepted": "UPDATE annotate_criterion SET state = 'retired'",
    "crowd_arrival_once": again(CrowdArrival),
    "annotate_criterion.final_text": [
        "UPDATE annotate_criterion SET text = 'Another one?'",
        r"UPDATE annotate_criterion SET text_key = '\x00' WHERE id = {criterion}",
    ],
    "annotate_dataimport_job_id_key": again(DataImport),
    "annotate_derivative_key_key": again(Derivative, kind="'another'"),
    "derivative_once": again(Derivative, key="'another'"),
    "draw_by_chance_has_q": again(Draw, pair_id="{undrawn}", route="'policy'", q="NULL", pool_size="NULL"),
    "draw_q": again(Draw, pair_id="{undrawn}", q="1.5"),
    "draw_once": again(Draw),
    "annotate_draw.append_only": "DELETE FROM annotate_draw WHERE id = {draw}",
    "annotate_draw.append_only_but_open": [
        "UPDATE annotate_draw SET q = 0.5",
        "UPDATE annotate_draw SET pos = pos + 1",
        "UPDATE annotate_draw SET pair_id = {undrawn} WHERE id = {draw}",
        "UPDATE annotate_draw SET need_id = need_id WHERE id = {draw}",
    ],
    "annotate_auditentry.append_only": [
        "UPDATE annotate_auditentry SET deed = 'nothing'",
        "DELETE FROM annotate_auditentry",
    ],
    "annotate_frozencomparison.append_only": [
        "UPDATE annotate_frozencomparison SET kept_out = 'leaks'",
        "DELETE FROM annotate_frozencomparison WHERE id = {frozen}",
    ],
    "annotate_frozenjudgment.append_only": [
        "UPDATE annotate_frozenjudgment SET standing = 'waiting'",
        "DELETE FROM annotate_frozenjudgment",
    ],
    "annotate_invitation_token_sha256_key": again(Invitation),
    "annotate_judgment.append_only": [
        "UPDATE annotate_judgment SET rationale = 'Another one.'",
        "DELETE FROM annotate_judgment WHERE id = '{imported}'",
    ],
    "annotate_judgment_supersedes_id_key": again(Judgment, "supersedes_id IS NOT NULL"),
    "judgment_broken": judged_again(supersedes_id="id", verdict="'media_broken'"),
    "judgment_has_origin": judged_again(claim_id="NULL"),
    "judgment_strength": judged_again(supersedes_id="id", strength="4"),
    "judgment_tie_kind": judged_again(supersedes_id="id", tie_kind="'both_good'"),
    "judgment_first_of_claim": judged_again(),
    "judgment_first_of_import": again(Judgment, "claim_id IS NULL"),
    "judgment_supersedes_own": judged_again(supersedes_id="id", annotator_id="{other}"),
    "evaluation_once": again(Evaluation),
    **_of(
        "annotate_evaluation",
        evaluation_names_its_benchmark="digest = 'some digest'",
        evaluation_has_names="judge = ''",
    ),
    "criteria_run_once": again(CriteriaRun),
    "proposal_once": again(Proposal, "state = 'rejected'"),
    "annotate_proposal_comparison_id_key": again(Proposal, "state = 'accepted'", n="9"),
    **_of(
        "annotate_proposal",
        proposal_state="state = 'pondered' WHERE state = 'rejected'",
        proposal_label="label = 'both' WHERE state = 'rejected'",
        proposal_accepted_is_judged_by="state = 'accepted' WHERE state = 'rejected'",
    ),
    "exclusion_once": again(Exclusion),
    "exclusion_since": "UPDATE annotate_exclusion SET since = made_at + interval '1 hour'",
    "annotate_gold_comparison_id_key": again(Gold),
    "gold_verdict": "UPDATE annotate_gold SET verdict = 'cannot_te'",
    "gold_kind": "UPDATE annotate_gold SET kind = 'trap'",
    "membership_once": again(Membership),
    "pair_name": again(Pair),
    "pair_two_responses": "UPDATE annotate_pair SET response2_id = response1_id",
    "annotate_pair.final_partition": "UPDATE annotate_pair SET partition = 'reserve'",
    "annotate_project_slug_key": again(Project),
    **_of(
        "annotate_project",
        project_k="k = 10",
        project_reserve_k="reserve_k = 0",
        project_authored_k="authored_k = 10",
        project_scale="scale = 4",
        project_shares="reserve_share = 0.6, validation_share = 0.6",
        project_reserve_claim_share="reserve_claim_share = 1.1",
        project_uniform_share="uniform_share = -0.1",
        project_policy="policy = 'guess'",
        project_promotion="promotion = 'sometimes'",
        project_viewing_share="viewing_share = 1.1",
        project_viewing_turned="viewing_turned = 1.1",
        project_crowd_code="crowd_open = true",
        project_most_share="most_share = 0",
        project_pay="pay_per_hour = -1",
        project_refit="refit_seconds = 9",
        project_review="review_against = 1.1",
        project_k_more="k_more = 9",
        project_k_most="k_most = 10",
        project_control_shares="repeat_share = 0.3, gold_share = 0.1, attention_share = 0.2",
        project_quiz="quiz_share = 1.1",
        project_repeat_after="repeat_after = 0",
    ),
    "prompt_once": again(Prompt),
    "prompt_asset_position": again(PromptAsset),
    "annotate_release_job_id_key": again(Release),
    "annotate_revision_artefact_key": again(Revision, number="2"),
    "annotate_resolution.append_only": [
        "UPDATE annotate_resolution SET reason = 'Another one.'",
        "DELETE FROM annotate_resolution WHERE supersedes_id IS NOT NULL",
    ],
    "annotate_resolution_supersedes_id_key": again(Resolution, "supersedes_id IS NOT NULL"),
    "resolution_first": again(Resolution, "supersedes_id IS NULL"),
    "resolution_has_reason": again(Resolution, "supersedes_id IS NOT NULL", supersedes_id="id", reason="''"),
    "resolution_supersedes_own": again(
        Resolution, "supersedes_id IS NULL", supersedes_id="{second}", comparison_id="{revised}"
    ),
    "annotate_reviewitem_pkey": again(ReviewItem),
    "revision_once": again(Revision, artefact="'another'"),
    **_of(
        "annotate_revision",
        revision_has_artefact="artefact = NULL",
        revision_broken_with_problem="state = 'broken'",
        revision_learned_from_something="judgments = 0",
        revision_accuracy="held_out = 4",
        revision_gain="gain = 0.1",
        revision_ready_is_pinned="artefact_sha256 = NULL",
    ),
    "annotate_score_pkey": again(Score),
    "annotate_rationale_pkey": again(Rationale),
    **_of("annotate_rationale", rationale_verdicts="forward = 2", rationale_cost="cost = 'NaN'"),
    "revision_test_once": again(RevisionTest),
    "revision_test_of_two": "UPDATE annotate_revisiontest SET against_id = candidate_id",
    **_of(
        "annotate_score",
        score_margin="margin = 'NaN'",
        score_p_tie="p_tie = 'NaN'",
        score_variance="variance = 'Infinity'",
        score_bald="bald = -0.1",
    ),
    "annotate_seat_pkey": again(Seat, annotator_id="{other}", head_id="NULL"),
    "seat_annotator_once": again(Seat, n="n + 1", head_id="NULL"),
    # One judgment in two seats: they would have to be of one annotator on one comparison.
    "annotate_seat_head_id_key": Breach(again(Seat, n="n + 1"), also=("seat_annotator_once",)),
    "seat_within_k": "UPDATE annotate_seat SET n = k + 1",
    "seat_comparison_k": "UPDATE annotate_seat SET k = 9",
    "seat_head_is_own": "UPDATE annotate_seat SET annotator_id = {other}",
    "stream_once": again(Stream),
    "stream_queued": "UPDATE annotate_stream SET queued = total + 1",
    "annotate_user_username_key": again(User),
}


# Those whose breach `manage.py verify` must find, too, where a database has lost the rule.
VERIFIED = {
    "draw_once",
    "annotate_judgment_supersedes_id_key",
    "judgment_first_of_claim",
    "judgment_supersedes_own",
    "resolution_first",
    "resolution_supersedes_own",
    "seat_annotator_once",
    "seat_comparison_k",
    "seat_head_is_own",
    "seat_within_k",
}


def rules() -> dict[str, str]:
    """What PostgreSQL enforces on our tables, by name: the statement that takes it away. Structural ones left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.conname, c.relname, k.contype::text || ' ' || pg_get_constraintdef(k.oid)
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relname LIKE 'annotate\\_%'
            """
        )
        found = {
            name: f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE"
            for name, table, kind in cursor.fetchall()
            if not any(re.fullmatch(pattern, kind) for pattern, _ in STRUCTURAL)
        }
        cursor.execute(
            """
            SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            JOIN pg_class c ON c.oid = x.indrelid
            WHERE x.indisunique AND c.relname LIKE 'annotate\\_%'
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))
            """
        )
        found |= {name: f"DROP INDEX {name}" for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND c.relname LIKE 'annotate\\_%'"
        )
        # One that keeps what follows from other rows refuses nothing.
        found |= {
            f"{table}.{name}": f"DROP TRIGGER {name} ON {table}"
            for table, name in cursor.fetchall()
            if not name.startswith("keep_")
        }
    return found


def test_every_rule_of_the_database_is_in_the_table() -> None:
    assert set(rules()) == set(BREACHES)


@pytest.fixture
def names() -> dict[str, Any]:
    """A row of everything that a rule is about; the ids that breaches name."""
    project = make_project()
    user = make_member(project)
    annotator, other = make_annotator(project, user), make_annotator(project)
    asset = make_asset(project, b"a picture")
    Derivative.objects.create(asset=asset, kind="web", media_type="image/webp", size=1, key="made")
    pair = make_pair(project, media=[asset])
    comparison, revised = make_comparison(pair, k=3), make_comparison(pair, "Another?", k=3)
    judgment = judge(comparison, "response1", annotator)
    first = judge(revised, "response1", other, seated=False)
    judge(revised, "tie", supersedes=first)
    undrawn, drawn = make_pair(project), make_pair(project)
    draw = Draw.objects.create(
        project=project, route="uniform", epoch=1, pos=9, pair=drawn, q=0.5, pool_size=2, open=True
    )
    now = timezone.now()
    known = make_comparison(undrawn, make_criterion(project, "Which is true?", objective=True))
    Gold.objects.create(project=project, comparison=known, verdict="response1")
    Claim.objects.create(
        pair=undrawn,
        annotator=annotator,
        comparison_ids=[known.pk],
        flip=False,
        kind="gold",
        created_at=now,
        expires_at=now,
    )
    qualification = Qualification.objects.create(
        annotator=annotator, round=1, begun_at=now, trained_at=now, passed_at=now, way="quiz"
    )
    trial = Trial.objects.create(
        qualification=qualification,
        part="quiz",
        number=1,
        pair_ids=[undrawn.pk],
        asked=1,
        needed=1,
        right=1,
        begun_at=now,
        ended_at=now,
        result="passed",
    )
    Trial.objects.create(
        qualification=qualification, part="training", number=1, pair_ids=[], asked=0, begun_at=now
    )
    Exclusion.objects.create(
        annotator=make_annotator(project), reason="Answers without looking.", made_at=now
    )
    Evaluation.objects.create(
        project=project, bench="bench", digest="0" * 64, judge="judge", judged_at=now, content={}
    )
    job = Job.objects.create(kind="import", project=project)
    run = CriteriaRun.objects.create(project=project, job=job, digest="0" * 64, recipe={}, writer="writer")
    proposed = {"run": run, "pair": pair, "text": "Short?", "label": "response1"}
    Proposal.objects.create(**proposed, n=1, state="rejected", reason="It is no sentence.")
    Proposal.objects.create(
        **proposed, n=2, state="accepted", criterion=revised.criterion, comparison=revised
    )
    data_import = DataImport.objects.create(project=project, job=job, spec={})
    imported = Judgment.objects.create(
        annotator=annotator,
        comparison=revised,
        verdict="response1",
        data_import=data_import,
        created_at=timezone.now(),
    )
    release = Release.objects.create(project=project, job=job, recipe={}, pseudonym_key="0")
    frozen = [
        FrozenComparison.objects.create(
            release=release,
            pair=pair,
            criterion=comparison.criterion,
            task_type="text_to_text",
            partition="train",
        )
        for _ in range(2)
    ]
    FrozenJudgment.objects.create(comparison=frozen[0], judgment=judgment, standing="counted")
    FrozenMember.objects.create(release=release, annotator=annotator, kind="taste", name="plain")
    group = AnnotatorGroup.objects.create(project=project, kind="taste", name="plain")
    GroupMember.objects.create(group=group, annotator=annotator)
    PoolRule.objects.create(project=project, group=group)
    Reach.objects.create(annotator=annotator, need=pair.need)
    team = Team.objects.create(name="the linguists")
    TeamMember.objects.create(team=team, user=make_member(project))
    TeamRole.objects.create(team=team, project=project)
    revision = Revision.objects.create(
        project=project,
        number=1,
        backend="builtin",
        artefact="a file",
        artefact_sha256=b"\0" * 32,
        artefact_size=1,
        read_at=timezone.now(),
        newest_judgment=uuid4(),
        judgments=1,
        comparisons=1,
        seconds=1,
    )
    Score.objects.create(revision=revision, comparison=comparison, margin=0, p_tie=0, variance=0, bald=0)
    Rationale.objects.create(revision=revision, comparison=comparison, forward=1, backward=0, replies=2)
    another = Revision.objects.create(
        project=project,
        number=9,
        backend="builtin",
        artefact="second file",
        artefact_sha256=b"\0" * 32,
        artefact_size=1,
        read_at=timezone.now(),
        newest_judgment=uuid4(),
        judgments=1,
        comparisons=1,
        seconds=1,
    )
    RevisionTest.objects.create(candidate=another, against=revision, read_at=timezone.now(), content={})
    CrowdArrival.objects.create(
        project=project, user=user, participant="participant", study="study", session="session", pairs=1
    )
    Invitation.objects.create(project=project, token_sha256=b"\0" * 32, expires_at=timezone.now())
    audit.record(None, "a deed", project, project)
    text = ConsentText.objects.create(project=project, version=1, text="A text.")
    unanswered = ConsentText.objects.create(project=project, version=2, text="Another text.")
    Consent.objects.create(annotator=annotator, text=text, given=True)
    said = {"comparison": comparison, "author": other, "created_at": timezone.now()}
    asked = Comment.objects.create(**said, annotator=annotator, text="Why?", revise=judgment)
    Comment.objects.create(**said, annotator=annotator, retracts=asked)
    CommentSeen.objects.create(reader=annotator, comparison=comparison, upto=asked.pk)
    decided = {"comparison": comparison, "verdict": "tie", "reason": "It is.", "created_at": timezone.now()}
    settled = Resolution.objects.create(**decided)
    second = Resolution.objects.create(**decided, reviewer=other, supersedes=settled)
    return {
        "second": second.pk,
        "revised": revised.pk,
        "judgment": judgment.pk,
        "imported": imported.pk,
        "claim": judgment.claim_id,
        "criterion": comparison.criterion_id,
        "other": other.pk,
        "undrawn": undrawn.pk,
        "draw": draw.pk,
        "trial": trial.pk,
        "frozen": frozen[1].pk,
        "unanswered": unanswered.pk,
    }


def attempt(statement: str, *without: str) -> set[str]:
    """Carry the statement out, after the statements that take rules away; everything is undone again.

    Returns the rules that `verify` finds broken after it, and did not before.
    """
    before = set(violations())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table is altered while checks are pending
        for taken in without:
            cursor.execute(taken)
        cursor.execute(statement)
        assert cursor.rowcount, "it touches no row"
        found = set(violations()) - before
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("rule", BREACHES)
def test_each_rule_is_what_stands_between(rule: str, names: dict[str, Any]) -> None:
    """With the rule the breach is refused, by that rule; without it the breach goes in: nothing else stops it."""
    drop, breaches = rules(), BREACHES[rule]
    for breach in breaches if isinstance(breaches, list) else [breaches]:
        breach = breach if isinstance(breach, Breach) else Breach(breach)
        statement = breach.statement.format(**names)
        also = [drop[name] for name in breach.also]
        with pytest.raises(IntegrityError) as refused:
            attempt(statement, *also)
        diag = refused.value.__cause__.diag  # type: ignore[union-attr]
        assert rule in (diag.constraint_name, f"{diag.table_name}.{diag.constraint_name}"), refused.value
        for name in breach.also:
            with pytest.raises(IntegrityError):
                attempt(statement, drop[rule], *(one for one in also if one != drop[name]))
        found = attempt(statement, drop[rule], *also)
        assert found or rule not in VERIFIED, "verify does not see it"


def test_a_repeat_that_counts_or_holds_a_seat_is_found(names: dict[str, Any]) -> None:
    before = set(violations())
    first = Claim.objects.exclude(pk=names["claim"]).first()
    Claim.objects.filter(pk=names["claim"]).update(repeat_of=first, kind="repeat")
    assert set(violations()) - before == {
        "a claim that is not for labels holds a seat",
        "a seat counts what was not said as a label",
        "a repeat of something else, or with the sides as they were",
    }
