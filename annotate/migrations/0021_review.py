"""Review items, which PostgreSQL keeps by itself; what reviewers settled and what was said, both append-only."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


KEYS = """
ALTER TABLE annotate_resolution ADD CONSTRAINT resolution_supersedes_own
    FOREIGN KEY (supersedes_id, comparison_id) REFERENCES annotate_resolution (id, comparison_id)
    DEFERRABLE INITIALLY DEFERRED;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_resolution
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_comment
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
"""

# Makes the review items of comparisons anew from what they follow from. Seats, k, resolutions and comments call it for
# the comparison that they are about; new scores and settings are told by annotate/actions/review.py.
ITEMS = """
-- Always by indexes: plans are kept, also those made while the tables were empty.
CREATE FUNCTION evenhand_review(ids bigint[]) RETURNS void LANGUAGE plpgsql
SET enable_nestloop = on SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO annotate_reviewitem AS i (comparison_id, project_id, criterion_id, task_type, response1, response2,
                                          tie, other, people, model, strength, state)
    SELECT t.id, t.project_id, t.criterion_id, t.task_type, t.r1, t.r2, t.tie, t.other,
           f.people, f.model, greatest(f.people, f.model), t.state
    FROM (
        SELECT c.id, c.criterion_id, p.project_id, p.task_type, v.*, o.margin, o.variance,
               j.review_majority, j.review_against,
               v.r1 + v.r2 + v.tie AS usable, greatest(v.r1, v.r2, v.tie) AS most,
               v.r1 + v.r2 + v.tie + v.other >= c.k AS is_full,
               CASE WHEN EXISTS (SELECT FROM annotate_resolution r WHERE r.comparison_id = c.id
                                   AND r.verdict <> 'reopened'
                                   AND NOT EXISTS (SELECT FROM annotate_resolution n WHERE n.supersedes_id = r.id))
                    THEN 'settled'
                    WHEN EXISTS (SELECT FROM annotate_comment q
                                 JOIN annotate_seat s ON s.comparison_id = c.id AND s.head_id = q.revise_id
                                 WHERE q.comparison_id = c.id
                                   AND NOT EXISTS (SELECT FROM annotate_comment t WHERE t.retracts_id = q.id)
                                   AND NOT EXISTS (SELECT FROM annotate_comment a
                                                   WHERE a.comparison_id = c.id AND a.id > q.id
                                                     AND a.retracts_id IS NULL AND a.author_id = q.annotator_id
                                                     AND a.annotator_id = q.annotator_id))
                    THEN 'sent_back' ELSE 'open' END AS state
        FROM annotate_comparison c
        JOIN annotate_pair p ON p.id = c.pair_id
        JOIN annotate_project j ON j.id = p.project_id
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE g.verdict = 'response1') AS r1,
                   count(*) FILTER (WHERE g.verdict = 'response2') AS r2,
                   count(*) FILTER (WHERE g.verdict = 'tie') AS tie,
                   count(*) FILTER (WHERE g.verdict NOT IN ('response1', 'response2', 'tie')) AS other
            FROM annotate_seat s JOIN annotate_judgment g ON g.id = s.head_id
            WHERE s.comparison_id = c.id) v
        LEFT JOIN LATERAL (
            SELECT o.margin, o.variance FROM annotate_score o
            JOIN annotate_revision r ON r.id = o.revision_id AND r.state = 'ready' AND r.scored_at IS NOT NULL
            WHERE o.comparison_id = c.id ORDER BY r.number DESC LIMIT 1) o ON true
        WHERE c.id = ANY (ids)
    ) t
    CROSS JOIN LATERAL (
        -- What the margin says against the majority: the mean of the logistic under its posterior, by MacKay's formula.
        SELECT CASE WHEN t.margin IS NULL THEN NULL
                    WHEN t.r1 > t.r2 AND t.r1 > t.tie THEN -1
                    WHEN t.r2 > t.r1 AND t.r2 > t.tie THEN 1 END
               * greatest(least(t.margin / sqrt(1 + pi() * t.variance / 8), 50), -50) AS against
    ) m
    CROSS JOIN LATERAL (
        SELECT CASE WHEN t.is_full AND t.usable > 1
                     AND (t.r1 > 0 AND t.r2 > 0 OR t.most < t.review_majority * t.usable)
                    THEN round((2 * t.r1 * t.r2 + (t.r1 + t.r2) * t.tie)::numeric / (t.usable * (t.usable - 1)), 6)
                    ELSE 0 END::float8 AS people,
               CASE WHEN t.is_full AND 1 / (1 + exp(-m.against)) >= t.review_against
                    THEN round((1 / (1 + exp(-m.against)))::numeric, 6) ELSE 0 END::float8 AS model
    ) f
    WHERE t.usable + t.other > 0 OR EXISTS (SELECT FROM annotate_reviewitem e WHERE e.comparison_id = t.id)
    ORDER BY t.id
    ON CONFLICT (comparison_id) DO UPDATE
    SET response1 = EXCLUDED.response1, response2 = EXCLUDED.response2, tie = EXCLUDED.tie, other = EXCLUDED.other,
        people = EXCLUDED.people, model = EXCLUDED.model, strength = EXCLUDED.strength, state = EXCLUDED.state;
    -- Of what nobody has judged any more nothing is kept, unless something was said or settled.
    DELETE FROM annotate_reviewitem i
    WHERE i.comparison_id = ANY (ids) AND i.response1 + i.response2 + i.tie + i.other = 0
      AND NOT EXISTS (SELECT FROM annotate_resolution r WHERE r.comparison_id = i.comparison_id)
      AND NOT EXISTS (SELECT FROM annotate_comment m WHERE m.comparison_id = i.comparison_id);
END $$;

CREATE FUNCTION evenhand_review_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Who fills many seats of a comparison at once looks at it once, at the end (SET LOCAL evenhand.review_later = 'on').
    IF current_setting('evenhand.review_later', true) = 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM evenhand_review(ARRAY[COALESCE(NEW.comparison_id, OLD.comparison_id)]);
    RETURN NULL;
END $$;
CREATE FUNCTION evenhand_review_of_comparison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM evenhand_review(ARRAY[NEW.id]);
    RETURN NULL;
END $$;

CREATE TRIGGER keep_review_seated AFTER INSERT ON annotate_seat
    FOR EACH ROW WHEN (NEW.head_id IS NOT NULL) EXECUTE FUNCTION evenhand_review_of_row();
CREATE TRIGGER keep_review_head AFTER UPDATE OF head_id ON annotate_seat
    FOR EACH ROW WHEN (OLD.head_id IS DISTINCT FROM NEW.head_id) EXECUTE FUNCTION evenhand_review_of_row();
CREATE TRIGGER keep_review_unseated AFTER DELETE ON annotate_seat
    FOR EACH ROW WHEN (OLD.head_id IS NOT NULL) EXECUTE FUNCTION evenhand_review_of_row();
CREATE TRIGGER keep_review_k AFTER UPDATE OF k ON annotate_comparison
    FOR EACH ROW WHEN (OLD.k IS DISTINCT FROM NEW.k) EXECUTE FUNCTION evenhand_review_of_comparison();
CREATE TRIGGER keep_review_resolution AFTER INSERT OR DELETE ON annotate_resolution
    FOR EACH ROW EXECUTE FUNCTION evenhand_review_of_row();
CREATE TRIGGER keep_review_comment AFTER INSERT OR DELETE ON annotate_comment
    FOR EACH ROW EXECUTE FUNCTION evenhand_review_of_row();

-- What was judged before.
SELECT count(evenhand_review(ids)) FROM (
    SELECT array_agg(comparison_id) AS ids
    FROM (SELECT DISTINCT comparison_id FROM annotate_seat WHERE head_id IS NOT NULL) judged
    GROUP BY comparison_id / 1000
) parts;
"""

UNDO = """
DROP TRIGGER keep_review_comment ON annotate_comment;
DROP TRIGGER keep_review_resolution ON annotate_resolution;
DROP TRIGGER keep_review_k ON annotate_comparison;
DROP TRIGGER keep_review_unseated ON annotate_seat;
DROP TRIGGER keep_review_head ON annotate_seat;
DROP TRIGGER keep_review_seated ON annotate_seat;
DROP FUNCTION evenhand_review_of_comparison();
DROP FUNCTION evenhand_review_of_row();
DROP FUNCTION evenhand_review(bigint[]);
DROP TRIGGER append_only ON annotate_comment;
DROP TRIGGER append_only ON annotate_resolution;
ALTER TABLE annotate_resolution DROP CONSTRAINT resolution_supersedes_own;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0020_criteria'),
    ]

    operations = [
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('to_all', models.BooleanField(default=False)),
                ('text', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('annotator', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='threads', to='annotate.annotator')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='annotate.annotator')),
                ('comparison', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='annotate.comparison')),
                ('retracts', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='retracted_by', to='annotate.comment')),
                ('revise', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sent_back', to='annotate.judgment')),
            ],
        ),
        migrations.CreateModel(
            name='CommentSeen',
            fields=[
                ('pk', models.CompositePrimaryKey('reader_id', 'comparison_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('upto', models.BigIntegerField(help_text='id of a comment')),
                ('comparison', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.comparison')),
                ('reader', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='comments_seen', to='annotate.annotator')),
            ],
        ),
        migrations.CreateModel(
            name='Resolution',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('response1', 'response 1'), ('response2', 'response 2'), ('tie', 'tie'), ('cannot_tell', 'nobody can tell'), ('reopened', 'reopened')], max_length=11)),
                ('reason', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('comparison', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='resolutions', to='annotate.comparison')),
                ('reviewer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='resolutions', to='annotate.annotator')),
                ('supersedes', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='superseded_by', to='annotate.resolution')),
            ],
        ),
        migrations.CreateModel(
            name='ReviewItem',
            fields=[
                ('comparison', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='review_item', serialize=False, to='annotate.comparison')),
                ('task_type', models.CharField(choices=[('text_to_text', 'text to text'), ('text_image_to_text', 'text and image to text'), ('text_video_to_text', 'text and video to text'), ('text_audio_to_text', 'text and audio to text'), ('text_to_image', 'text to image'), ('text_to_video', 'text to video'), ('text_to_audio', 'text to audio'), ('text_to_3D', 'text to 3D'), ('text_image_to_image', 'text and image to image'), ('other', 'mixed media')], max_length=32)),
                ('response1', models.PositiveSmallIntegerField(help_text='counted verdicts that say so')),
                ('response2', models.PositiveSmallIntegerField()),
                ('tie', models.PositiveSmallIntegerField()),
                ('other', models.PositiveSmallIntegerField(help_text='counted, but no opinion on which is better')),
                ('people', models.FloatField()),
                ('model', models.FloatField()),
                ('strength', models.FloatField(help_text='the larger of both')),
                ('state', models.CharField(choices=[('open', 'open'), ('sent_back', 'sent back'), ('settled', 'settled')], max_length=9)),
                ('criterion', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.criterion')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='review_items', to='annotate.project')),
            ],
        ),
        migrations.AddField(
            model_name='frozencomparison',
            name='reviewers',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='how many of them decided so'),
        ),
        migrations.AddField(
            model_name='frozencomparison',
            name='settled',
            field=models.CharField(blank=True, db_default='', default='', help_text='what reviewers decided; empty: nothing', max_length=11),
        ),
        migrations.AddField(
            model_name='project',
            name='review_against',
            field=models.FloatField(db_default=0.9, default=0.9, help_text='... and where the model is at least so sure of the response that the majority did not choose.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='model against'),
        ),
        migrations.AddField(
            model_name='project',
            name='review_majority',
            field=models.FloatField(db_default=0.6, default=0.6, help_text='Reviewers are shown what the majority has a smaller share of, and whatever both responses were chosen in.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='conflict below'),
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('import', 'import'), ('release', 'release'), ('raise_k', 'raise k'), ('apply', 'apply criterion'), ('derive', 'prepare media'), ('demo', 'make demo'), ('train', 'train reward model'), ('score', 'score pairs'), ('report', 'compute statistics'), ('settle', 'settle criterion'), ('review', 'look for conflicts')], max_length=8),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('review_against__range', (0, 1)), ('review_majority__range', (0, 1))), name='project_review'),
        ),
        migrations.AddConstraint(
            model_name='comment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('retracts__isnull', True), models.Q(('text', ''), _negated=True)), models.Q(('retracts__isnull', False), ('text', '')), _connector='OR'), name='comment_says_or_retracts'),
        ),
        migrations.AddConstraint(
            model_name='comment',
            constraint=models.CheckConstraint(condition=models.Q(('to_all', False), ('annotator__isnull', True), _connector='OR'), name='comment_to_all_or_one'),
        ),
        migrations.AddConstraint(
            model_name='comment',
            constraint=models.CheckConstraint(condition=models.Q(('revise__isnull', True), ('annotator__isnull', False), _connector='OR'), name='comment_revise_to_one'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(condition=models.Q(('supersedes__isnull', True)), fields=('comparison',), name='resolution_first'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(fields=('id', 'comparison'), name='resolution_identity'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), _negated=True), ('reviewer__isnull', True), _connector='OR'), name='resolution_has_reason'),
        ),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(condition=models.Q(('strength__gt', 0), models.Q(('state', 'open'), _negated=True), _connector='OR'), fields=['project', 'state', '-strength', 'comparison'], name='review_queue'),
        ),
        migrations.AddIndex(
            model_name='reviewitem',
            index=models.Index(condition=models.Q(('strength__gt', 0), models.Q(('state', 'open'), _negated=True), _connector='OR'), fields=['criterion', 'state', '-strength', 'comparison'], name='review_by_criterion'),
        ),
        migrations.RunSQL(KEYS + ITEMS, UNDO),
    ]
