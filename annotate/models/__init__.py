from annotate.models.audit import AuditEntry
from annotate.models.budget import Budget
from annotate.models.consent import Consent, ConsentText
from annotate.models.embeddings import CriterionEmbedding, TypedEmbedding
from annotate.models.evaluations import Evaluation
from annotate.models.exclusion import Exclusion
from annotate.models.frozen import FrozenComparison, FrozenJudgment, KeptOut, Standing, Tombstone
from annotate.models.gold import Gold, KnownKind, KnownVerdict
from annotate.models.groups import AnnotatorGroup, FrozenMember, GroupKind, GroupMember
from annotate.models.judgments import Broken, Judgment, TieKind, Verdict
from annotate.models.media import Asset, Derivative, Modality
from annotate.models.members import CrowdArrival, Invitation
from annotate.models.pairs import (
    Comparison,
    Criterion,
    CriterionState,
    Pair,
    Partition,
    Prompt,
    PromptAsset,
    Response,
)
from annotate.models.pools import Need, PoolRule, Reach
from annotate.models.project import (
    Annotator,
    Authoring,
    Membership,
    Policy,
    Project,
    ProjectState,
    Promotion,
    Role,
    Sampling,
    Sharing,
    Stream,
    TaskType,
    User,
    Viewing,
    Withdrawal,
)
from annotate.models.queue import Claim, ClaimDraft, ClaimKind, Draw, Outcome, Route, Seat
from annotate.models.reports import Report
from annotate.models.review import Comment, CommentSeen, Resolution, ReviewItem, ReviewState, Ruling
from annotate.models.scores import Rationale, Revision, RevisionState, RevisionTest, Score
from annotate.models.teams import Team, TeamMember, TeamRole
from annotate.models.trials import Qualification, Trial, TrialPart, TrialResult, WayIn
from annotate.models.work import UNFINISHED, DataImport, Job, JobKind, JobState, Release
from annotate.models.writing import CriteriaRun, Proposal, ProposalState

__all__ = [
    "UNFINISHED",
    "Annotator",
    "AnnotatorGroup",
    "Asset",
    "AuditEntry",
    "Authoring",
    "Broken",
    "Budget",
    "Claim",
    "ClaimDraft",
    "ClaimKind",
    "Comment",
    "CommentSeen",
    "Comparison",
    "Consent",
    "ConsentText",
    "CriteriaRun",
    "Criterion",
    "CriterionEmbedding",
    "CriterionState",
    "CrowdArrival",
    "DataImport",
    "Derivative",
    "Draw",
    "Evaluation",
    "Exclusion",
    "FrozenComparison",
    "FrozenJudgment",
    "FrozenMember",
    "Gold",
    "GroupKind",
    "GroupMember",
    "Invitation",
    "Job",
    "JobKind",
    "JobState",
    "Judgment",
    "KeptOut",
    "KnownKind",
    "KnownVerdict",
    "Membership",
    "Modality",
    "Need",
    "Outcome",
    "Pair",
    "Partition",
    "Policy",
    "PoolRule",
    "Project",
    "ProjectState",
    "Promotion",
    "Prompt",
    "PromptAsset",
    "Proposal",
    "ProposalState",
    "Qualification",
    "Rationale",
    "Reach",
    "Release",
    "Report",
    "Resolution",
    "Response",
    "ReviewItem",
    "ReviewState",
    "Revision",
    "RevisionState",
    "RevisionTest",
    "Role",
    "Route",
    "Ruling",
    "Sampling",
    "Score",
    "Seat",
    "Sharing",
    "Standing",
    "Stream",
    "TaskType",
    "Team",
    "TeamMember",
    "TeamRole",
    "TieKind",
    "Tombstone",
    "Trial",
    "TrialPart",
    "TrialResult",
    "TypedEmbedding",
    "User",
    "Verdict",
    "Viewing",
    "WayIn",
    "Withdrawal",
]
