from annotate.models.audit import AuditEntry
from annotate.models.frozen import FrozenComparison, FrozenJudgment, Standing
from annotate.models.judgments import Broken, Judgment, TieKind, Verdict
from annotate.models.media import Asset, Derivative, Modality
from annotate.models.pairs import Comparison, Criterion, Pair, Partition, Prompt, PromptAsset, Response
from annotate.models.project import (
    Annotator,
    Authoring,
    Membership,
    Project,
    ProjectState,
    Role,
    Stream,
    TaskType,
    User,
)
from annotate.models.queue import Claim, Draw, Outcome, Route, Seat
from annotate.models.work import DataImport, Job, JobKind, JobState, Release

__all__ = [
    "Annotator",
    "Asset",
    "AuditEntry",
    "Authoring",
    "Broken",
    "Claim",
    "Comparison",
    "Criterion",
    "DataImport",
    "Derivative",
    "Draw",
    "FrozenComparison",
    "FrozenJudgment",
    "Job",
    "JobKind",
    "JobState",
    "Judgment",
    "Membership",
    "Modality",
    "Outcome",
    "Pair",
    "Partition",
    "Project",
    "ProjectState",
    "Prompt",
    "PromptAsset",
    "Release",
    "Response",
    "Role",
    "Route",
    "Seat",
    "Standing",
    "Stream",
    "TaskType",
    "TieKind",
    "User",
    "Verdict",
]
