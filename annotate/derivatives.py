"""What is made from media to be shown, after an import: the job that makes it, and what waits for it.

An asset is prepared once all its derivatives are stored; a pair is ready, and may be drawn, once all its assets
are prepared. Several jobs and commands may work on one project: each asset is held by an advisory lock of the
connection that works on it. Files go into a folder that stands on the job's row before the first of them is
written, and is taken from it in the transaction of their rows: whoever is killed in between loses none.
"""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from django.core.files import File
from django.db import connection, transaction
from django.db.models import QuerySet

from annotate import audit, media
from annotate.access import Deed, require
from annotate.actions.jobs import Lease, send
from annotate.actions.queue import open_pairs
from annotate.database_session import give_back
from annotate.modalities import HOUSES, Kind, MediaError
from annotate.modalities.sandbox import Examined, MediaSandbox, Request
from annotate.models import Asset, Derivative, Job, JobKind, Modality, Project, Route, User
from annotate.queries import VISIBLE_IMPORT
from annotate.visible import visible

# "EVA" and "EVR": beside the one stands an asset, beside the other a project.
_ASSET_LOCKS, _SETTLE_LOCK = 0x455641, 0x455652
_BEAT = 5.0  # seconds
_LISTED_AT_ONCE = 200

# Of pair p: nothing that it shows is still to be made.
ALL_PREPARED = """NOT EXISTS (
    SELECT FROM annotate_asset a
    WHERE NOT a.prepared AND a.id IN (
        SELECT asset_id FROM annotate_response r WHERE r.id IN (p.response1_id, p.response2_id)
        UNION ALL SELECT asset_id FROM annotate_promptasset m WHERE m.prompt_id = p.prompt_id))"""


def prepare_media(project: Project, *, by: User | None, send_it: bool = True) -> Job:
    """A job that makes whatever the project's media lack. Call it in a transaction that was allowed to do so."""
    job = Job.objects.create(kind=JobKind.DERIVE, project=project, by=by)
    audit.record(by, "queue prepare media", job, project)
    if send_it:
        send(job)
    return job


@transaction.atomic
def retry_media(
    *,
    by: User | None,
    project: Project,
    asset: Asset | None = None,
    failed_too: bool = True,
    send_it: bool = True,
) -> Job:
    """Make what is missing; with `failed_too`, also what could not be made before, of one asset or of all.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    if failed_too:
        failed = Asset.objects.filter(project=project, prepared=False).exclude(problem="")
        (failed.filter(pk=asset.pk) if asset else failed).update(problem="")
    return prepare_media(project, by=by, send_it=send_it)


def settle_alone(project_id: int) -> None:
    """Until the transaction ends, nobody else makes assets prepared or pairs ready in the project."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_SETTLE_LOCK, project_id])


def run(lease: Lease) -> None:
    """Make what the project's media lack. Killed anywhere, it goes on where it stopped.

    A file of which something cannot be made gets its `problem` and holds nobody up.
    """
    _Work(lease).run()


class _Work:
    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._project_id = lease.job.project_id
        self._sandbox = MediaSandbox()
        self._running: dict[Future[Examined], Asset] = {}
        self._failed = 0

    def run(self) -> None:
        self._drop_folder()  # of an asset that was being stored when we were killed
        left = self._unprepared().count()
        done = self._lease.job.done
        self._lease.beat(done=done, total=done + left, step="preparing media")
        try:
            with self._sandbox:
                self._work()
        finally:
            for asset in self._running.values():
                _unlock(asset.pk)
        if self._failed:
            step = f"{self._failed:,} files could not be prepared: see Assets"
            self._lease.beat(step=step, finishing=not self._lease.over)

    def _unprepared(self) -> QuerySet[Asset]:
        return Asset.objects.filter(
            VISIBLE_IMPORT, project_id=self._project_id, prepared=False, problem=""
        ).order_by("pk")

    def _work(self) -> None:
        assets = self._assets()
        while True:
            # One more than there are children: none waits while what another made is being kept.
            while len(self._running) <= self._sandbox.width and not self._lease.over:
                asset = next(assets, None)
                if asset is None:
                    break
                made = set(asset.derivatives.values_list("kind", flat=True))  # by the import
                self._running[self._sandbox.submit(self._make, (asset, made))] = asset
            if not self._running:
                break
            finished, _ = wait(self._running, timeout=_BEAT, return_when=FIRST_COMPLETED)
            if not finished:
                self._lease.beat(finishing=True)
            for future in finished:
                self._keep(self._running[future], future)
                _unlock(self._running.pop(future).pk)
        self._lease.beat()  # where the segment is over, the rest is for the next one

    def _assets(self) -> Iterator[Asset]:
        """Assets to be prepared, each held by us until it is unlocked; what others hold is left to them."""
        last = 0
        while True:
            batch = list(self._unprepared().filter(pk__gt=last)[:_LISTED_AT_ONCE])
            if not batch:
                return
            for asset in batch:
                last = asset.pk
                if _lock(asset.pk):
                    if self._unprepared().filter(pk=asset.pk).exists():  # as it was when we came to hold it
                        yield asset
                    else:
                        _unlock(asset.pk)

    def _make(self, work: tuple[Asset, set[str]]) -> Examined:
        """What an asset lacks beside what is made of it. In a thread: it touches no database."""
        asset, made = work
        kind = Kind(Modality(asset.modality), asset.media_type, asset.extension)
        wanted = [one for one in HOUSES[kind.modality].KINDS if one not in made]
        with media.local_copy(asset.key) as source:
            return self._sandbox.examine(Request(source, kind, wanted))

    def _keep(self, asset: Asset, made: Future[Examined]) -> None:
        lease = self._lease
        try:
            examined = made.result()
        except MediaError as error:
            Asset.objects.filter(pk=asset.pk).update(problem=str(error))
            self._failed += 1
            lease.beat(done=lease.job.done + 1, finishing=True)
            return
        folder = media.new_folder()
        lease.beat(place={"folder": folder}, finishing=True)
        rows = []
        for rendition in examined.renditions:
            with rendition.file as file:
                key = media.store(folder, File(file))
            rows.append(
                Derivative(
                    asset=asset,
                    kind=rendition.kind,
                    media_type=rendition.media_type,
                    size=rendition.size,
                    key=key,
                    probe=rendition.probe,
                )
            )
        with transaction.atomic():
            settle_alone(self._project_id)
            Derivative.objects.bulk_create(rows)
            Asset.objects.filter(pk=asset.pk).update(prepared=True)
            _make_pairs_ready(self._project_id, asset.pk)
            lease.beat(done=lease.job.done + 1, place={"folder": ""}, finishing=True)

    def _drop_folder(self) -> None:
        if folder := self._lease.job.spec.get("folder"):
            media.remove_folder(folder)
            self._lease.beat(place={"folder": ""})


def _lock(asset_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_ASSET_LOCKS, asset_id])
        held: bool = cursor.fetchone()[0]
    return held


def _unlock(asset_id: int) -> None:
    give_back("SELECT pg_advisory_unlock(%s, %s)", [_ASSET_LOCKS, asset_id])


def _make_pairs_ready(project_id: int, asset_id: int) -> None:
    """Let pairs be drawn for which this asset was the last that was missing.

    Locks in the order of the queue: the streams, then pairs, then the draw lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM annotate_stream WHERE project_id = %s ORDER BY partition FOR NO KEY UPDATE",
            [project_id],
        )
        cursor.execute(
            f"""
            UPDATE annotate_pair p SET ready = true
            WHERE NOT p.ready AND p.id IN (
                SELECT q.id FROM annotate_response r JOIN annotate_pair q ON q.response1_id = r.id
                WHERE r.asset_id = %(asset)s
                UNION SELECT q.id FROM annotate_response r JOIN annotate_pair q ON q.response2_id = r.id
                WHERE r.asset_id = %(asset)s
                UNION SELECT q.id FROM annotate_promptasset m JOIN annotate_pair q ON q.prompt_id = m.prompt_id
                WHERE m.asset_id = %(asset)s)
              AND {visible("p")}
              AND {ALL_PREPARED}
            RETURNING p.id, p.partition, p.queued
            """,
            {"asset": asset_id},
        )
        ready = cursor.fetchall()
        for partition in {partition for _, partition, _ in ready}:
            queued = [drawn for _, where, drawn in ready if where == partition]
            cursor.execute(
                "UPDATE annotate_stream SET total = total + %s, queued = queued + %s"
                " WHERE project_id = %s AND partition = %s",
                [len(queued), sum(queued), project_id, partition],
            )
    # Labelled fully when they were imported; if a seat has become free since, they are asked again.
    if full := [pair_id for pair_id, _, drawn in ready if drawn]:
        open_pairs(project_id, full, Route.REOPENED)
