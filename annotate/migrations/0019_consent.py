"""Consent, version after version, and the answers to it, both append-only; what is kept of people, and for how long."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_consenttext
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_consent
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_frozenmember
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
"""

UNDO = """
DROP TRIGGER append_only ON annotate_frozenmember;
DROP TRIGGER append_only ON annotate_consent;
DROP TRIGGER append_only ON annotate_consenttext;
"""


def note_when_closed(apps, schema_editor):
    """Projects that are closed already: since the trail says so, else from now on."""
    entries = apps.get_model("annotate", "AuditEntry").objects.filter(deed="close project")
    for project in apps.get_model("annotate", "Project").objects.filter(state="closed"):
        last = entries.filter(project_id=project.pk).order_by("-pk").first()
        project.closed_at = last.at if last else timezone.now()
        project.save(update_fields=["closed_at"])


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0018_cost'),
    ]

    operations = [
        migrations.AddField(
            model_name='project',
            name='closed_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='project',
            name='forget_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Drafts that were begun and left, and what was noted on skipping. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='days until drafts and notes go'),
        ),
        migrations.AddField(
            model_name='project',
            name='unlink_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='After closing; judgments stay. If the project is opened again later, everybody begins as somebody new. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='days until pseudonyms lose their accounts'),
        ),
        migrations.AddField(
            model_name='project',
            name='withdrawal',
            field=models.CharField(choices=[('erase', 'they are deleted, and asked of others again'), ('anonymise', 'they stay, under a new pseudonym of no account')], db_default='erase', default='erase', help_text='Annotators are told before they withdraw. A manager who withdraws somebody always erases.', max_length=9, verbose_name='judgments of who withdraws'),
        ),
        migrations.AddField(
            model_name='release',
            name='superseded_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='AnnotatorGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('language', 'language'), ('expertise', 'expertise'), ('taste', 'taste')], max_length=10)),
                ('name', models.CharField(max_length=60)),
                ('asked', models.BooleanField(default=False, help_text='Annotators may say on the consent page that they belong to it.')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='annotator_groups', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='ConsentText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('text', models.TextField(blank=True, help_text='Markdown, shown to annotators.', max_length=20000)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('made_by', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='consent_texts', to='annotate.project')),
            ],
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('given', models.BooleanField(help_text='agreed; else declined')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('annotator', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='annotate.annotator')),
                ('text', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='annotate.consenttext')),
            ],
        ),
        migrations.CreateModel(
            name='FrozenMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('language', 'language'), ('expertise', 'expertise'), ('taste', 'taste')], max_length=10)),
                ('name', models.CharField(max_length=60)),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotate.annotator')),
                ('release', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='annotate.release')),
            ],
        ),
        migrations.CreateModel(
            name='GroupMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('declared', models.BooleanField(default=False)),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='group_members', to='annotate.annotator')),
                ('group', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='members', to='annotate.annotatorgroup')),
            ],
        ),
        migrations.AddConstraint(
            model_name='annotatorgroup',
            constraint=models.UniqueConstraint(fields=('project', 'kind', 'name'), name='annotator_group_name'),
        ),
        migrations.AddConstraint(
            model_name='annotatorgroup',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='annotator_group_has_name'),
        ),
        migrations.AddConstraint(
            model_name='consenttext',
            constraint=models.UniqueConstraint(fields=('project', 'version'), name='consent_text_version'),
        ),
        migrations.AddIndex(
            model_name='consent',
            index=models.Index(fields=['annotator', 'text', '-id'], name='consent_newest'),
        ),
        migrations.AddConstraint(
            model_name='frozenmember',
            constraint=models.UniqueConstraint(fields=('release', 'annotator', 'kind', 'name'), name='frozen_member_once'),
        ),
        migrations.AddConstraint(
            model_name='groupmember',
            constraint=models.UniqueConstraint(fields=('group', 'annotator'), name='group_member_once'),
        ),
        migrations.RunSQL(APPEND_ONLY, UNDO),
        migrations.RunPython(note_when_closed, migrations.RunPython.noop),
    ]
