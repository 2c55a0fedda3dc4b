"""Who may judge which pairs: needs, lines of the queue by them, pools; and teams."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


NEEDS = """
INSERT INTO annotate_need (project_id, task_type, language, expertise, any_of)
SELECT DISTINCT project_id, task_type, '', '{}'::varchar[], false FROM annotate_pair;
UPDATE annotate_pair p SET need_id = n.id FROM annotate_need n
WHERE n.project_id = p.project_id AND n.task_type = p.task_type;
UPDATE annotate_draw d SET need_id = p.need_id FROM annotate_pair p WHERE p.id = d.pair_id;
INSERT INTO annotate_reach (annotator_id, need_id, cursor)
SELECT a.id, n.id, a.cursor FROM annotate_annotator a JOIN annotate_need n ON n.project_id = a.project_id
WHERE a.cursor > 0;
UPDATE annotate_membership SET own_role = role;
SET CONSTRAINTS ALL IMMEDIATE;
"""

UNDO_NEEDS = """
UPDATE annotate_annotator a SET cursor = far.cursor
FROM (SELECT annotator_id, min(cursor) AS cursor FROM annotate_reach GROUP BY annotator_id) far
WHERE a.id = far.annotator_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""

TRIGGERS = """
-- Who asks for nothing special stands in the line of the task type.
CREATE FUNCTION evenhand_need() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        SELECT id INTO NEW.need_id FROM annotate_need
        WHERE project_id = NEW.project_id AND task_type = NEW.task_type AND language = '' AND expertise = '{}'
          AND NOT any_of;
        EXIT WHEN NEW.need_id IS NOT NULL;
        INSERT INTO annotate_need (project_id, task_type) VALUES (NEW.project_id, NEW.task_type)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_need BEFORE INSERT ON annotate_pair
    FOR EACH ROW WHEN (NEW.need_id IS NULL) EXECUTE FUNCTION evenhand_need();

-- Always by the index: plans are kept, also those made while the table was empty.
CREATE FUNCTION evenhand_need_of_pair() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    NEW.need_id := (SELECT need_id FROM annotate_pair WHERE id = NEW.pair_id);
    RETURN NEW;
END $$;
CREATE TRIGGER keep_need BEFORE INSERT ON annotate_draw
    FOR EACH ROW EXECUTE FUNCTION evenhand_need_of_pair();

DROP TRIGGER append_only_but_open ON annotate_draw;
CREATE TRIGGER append_only_but_open BEFORE UPDATE OF id, project_id, route, epoch, pos, pair_id, q, pool_size, need_id
    ON annotate_draw FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER final_need BEFORE UPDATE ON annotate_need FOR EACH ROW EXECUTE FUNCTION evenhand_final();
"""

UNDO_TRIGGERS = """
DROP TRIGGER final_need ON annotate_need;
DROP TRIGGER append_only_but_open ON annotate_draw;
CREATE TRIGGER append_only_but_open BEFORE UPDATE OF id, project_id, route, epoch, pos, pair_id, q, pool_size
    ON annotate_draw FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
DROP TRIGGER keep_need ON annotate_draw;
DROP FUNCTION evenhand_need_of_pair();
DROP TRIGGER keep_need ON annotate_pair;
DROP FUNCTION evenhand_need();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0023_training'),
    ]

    operations = [
        migrations.CreateModel(
            name='Need',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task_type', models.CharField(choices=[('text_to_text', 'text to text'), ('text_image_to_text', 'text and image to text'), ('text_video_to_text', 'text and video to text'), ('text_audio_to_text', 'text and audio to text'), ('text_to_image', 'text to image'), ('text_to_video', 'text to video'), ('text_to_audio', 'text to audio'), ('text_to_3D', 'text to 3D'), ('text_image_to_image', 'text and image to image'), ('other', 'mixed media')], max_length=32)),
                ('language', models.CharField(blank=True, db_default='', default='', max_length=60)),
                ('expertise', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, db_default=[], default=list, size=None)),
                ('any_of', models.BooleanField(db_default=False, default=False, help_text='one of the expertises is enough')),
            ],
        ),
        migrations.CreateModel(
            name='PoolRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task_type', models.CharField(blank=True, choices=[('text_to_text', 'text to text'), ('text_image_to_text', 'text and image to text'), ('text_video_to_text', 'text and video to text'), ('text_audio_to_text', 'text and audio to text'), ('text_to_image', 'text to image'), ('text_to_video', 'text to video'), ('text_to_audio', 'text to audio'), ('text_to_3D', 'text to 3D'), ('text_image_to_image', 'text and image to image'), ('other', 'mixed media')], max_length=32)),
                ('excludes', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='Reach',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cursor', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='TeamMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
        ),
        migrations.CreateModel(
            name='TeamRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('annotator', 'annotator'), ('reviewer', 'reviewer'), ('manager', 'manager')], default='annotator', max_length=12)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='draw',
            name='draw_open',
        ),
        migrations.AddField(
            model_name='membership',
            name='own_role',
            field=models.CharField(blank=True, choices=[('annotator', 'annotator'), ('reviewer', 'reviewer'), ('manager', 'manager')], help_text='given to the person themselves; empty: they are here by a team alone', max_length=12, null=True),
        ),
        migrations.AddField(
            model_name='need',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='needs', to='annotate.project'),
        ),
        migrations.AddField(
            model_name='draw',
            name='need',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotate.need'),
        ),
        migrations.AddField(
            model_name='pair',
            name='need',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='pairs', to='annotate.need'),
        ),
        migrations.AddField(
            model_name='poolrule',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pool_rules', to='annotate.annotatorgroup'),
        ),
        migrations.AddField(
            model_name='poolrule',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pool_rules', to='annotate.project'),
        ),
        migrations.AddField(
            model_name='reach',
            name='annotator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reaches', to='annotate.annotator'),
        ),
        migrations.AddField(
            model_name='reach',
            name='need',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.need'),
        ),
        migrations.AddConstraint(
            model_name='team',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='team_has_name'),
        ),
        migrations.AddField(
            model_name='teammember',
            name='team',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='annotate.team'),
        ),
        migrations.AddField(
            model_name='teammember',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='teams', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='teamrole',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='team_roles', to='annotate.project'),
        ),
        migrations.AddField(
            model_name='teamrole',
            name='team',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='annotate.team'),
        ),
        migrations.AddConstraint(
            model_name='need',
            constraint=models.UniqueConstraint(fields=('project', 'task_type', 'language', 'expertise', 'any_of'), name='need_once'),
        ),
        migrations.AddConstraint(
            model_name='poolrule',
            constraint=models.UniqueConstraint(fields=('project', 'task_type', 'group'), name='pool_rule_once'),
        ),
        migrations.AddConstraint(
            model_name='reach',
            constraint=models.UniqueConstraint(fields=('annotator', 'need'), name='reach_once'),
        ),
        migrations.AddConstraint(
            model_name='teammember',
            constraint=models.UniqueConstraint(fields=('team', 'user'), name='team_member_once'),
        ),
        migrations.AddConstraint(
            model_name='teamrole',
            constraint=models.UniqueConstraint(fields=('team', 'project'), name='team_role_once'),
        ),
        migrations.RunSQL(NEEDS, UNDO_NEEDS),
        migrations.AlterField(
            model_name='draw',
            name='need',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotate.need'),
        ),
        migrations.AlterField(
            model_name='pair',
            name='need',
            field=models.ForeignKey(blank=True, db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='pairs', to='annotate.need'),
        ),
        migrations.RemoveField(
            model_name='annotator',
            name='cursor',
        ),
        migrations.AddIndex(
            model_name='draw',
            index=models.Index(condition=models.Q(('open', True)), fields=['need', 'id'], name='draw_open'),
        ),
        migrations.AddIndex(
            model_name='pair',
            index=models.Index(condition=models.Q(('queued', False), ('ready', True)), fields=['need'], name='pair_undrawn_need'),
        ),
        migrations.RunSQL(TRIGGERS, UNDO_TRIGGERS),
    ]
