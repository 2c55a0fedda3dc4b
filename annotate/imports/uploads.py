"""The files that were uploaded for an import: kept while it may be tried again, and no longer."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from annotate import media
from annotate.imports.spec import ImportSpec
from annotate.models import DataImport, Job, JobState

KEPT = timedelta(days=14)  # after the import failed or was cancelled; docs/import.md
_ENDED = (JobState.FAILED, JobState.CANCELLED)


def remove_uploads(data_import: DataImport) -> None:
    spec = ImportSpec.from_json(data_import.spec)
    media.remove(file.key for file in (*spec.files, *([spec.media] if spec.media else ())) if file.key)


def remove_abandoned_uploads() -> int:
    """Remove what was uploaded for imports that failed or were cancelled KEPT ago. Returns of how many imports.

    It is noted on the job, so that none is looked at twice.
    """
    abandoned = DataImport.objects.filter(
        visible=False, job__state__in=_ENDED, job__ended_at__lt=timezone.now() - KEPT
    ).exclude(job__spec__has_key="uploads_removed")
    removed = 0
    for data_import in abandoned:
        with transaction.atomic():
            job = Job.objects.select_for_update(no_key=True).get(pk=data_import.job_id)
            if job.state not in _ENDED:
                continue  # it is being tried again
            remove_uploads(data_import)
            job.spec["uploads_removed"] = True
            job.save(update_fields=["spec"])
        removed += 1
    return removed
