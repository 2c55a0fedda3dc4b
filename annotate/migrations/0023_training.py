"""Known answers of several kinds; training and quiz before the first pair."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0022_quality'),
    ]

    operations = [
        migrations.CreateModel(
            name='Qualification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('round', models.PositiveIntegerField()),
                ('begun_at', models.DateTimeField()),
                ('trained_at', models.DateTimeField(blank=True, null=True)),
                ('passed_at', models.DateTimeField(blank=True, null=True)),
                ('way', models.CharField(blank=True, choices=[('', 'not in'), ('trained', 'trained; there was no quiz'), ('quiz', 'passed the quiz'), ('let_in', 'let in by a manager')], db_default='', default='', max_length=7)),
                ('reason', models.CharField(blank=True, db_default='', default='', max_length=500)),
                ('forgiven', models.PositiveIntegerField(db_default=0, default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.CharField(choices=[('training', 'training'), ('quiz', 'quiz')], max_length=8)),
                ('number', models.PositiveIntegerField()),
                ('pair_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('asked', models.PositiveIntegerField()),
                ('needed', models.PositiveIntegerField(default=0)),
                ('begun_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.CharField(blank=True, choices=[('', 'open'), ('done', 'done'), ('passed', 'passed'), ('failed', 'failed'), ('void', 'void')], default='', max_length=6)),
                ('right', models.PositiveIntegerField(default=0)),
                ('wrong', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='claim',
            name='claim_by_a_draw',
        ),
        migrations.RemoveConstraint(
            model_name='claim',
            name='claim_gold_once',
        ),
        migrations.RemoveConstraint(
            model_name='project',
            name='project_control_shares',
        ),
        migrations.RemoveIndex(
            model_name='gold',
            name='gold_of_project',
        ),
        migrations.AddField(
            model_name='claim',
            name='read_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='gold',
            name='data_import',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='gold', to='annotate.dataimport'),
        ),
        migrations.AddField(
            model_name='gold',
            name='kind',
            field=models.CharField(choices=[('gold', 'gold: asked now and then, untold'), ('attention', 'attention check: the pair itself says what to answer'), ('training', 'training: told afterwards, before the first real pair'), ('quiz', 'quiz: not told, to be passed before the first real pair')], db_default='gold', default='gold', max_length=9),
        ),
        migrations.AddField(
            model_name='gold',
            name='place',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='project',
            name='attention_share',
            field=models.FloatField(db_default=0, default=0, help_text='Share of what an annotator gets that says itself what to answer, of pairs that they have not seen. They are not told, and a check that they miss is shown to you and decides nothing.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.5)], verbose_name='share of attention checks'),
        ),
        migrations.AddField(
            model_name='project',
            name='qualify',
            field=models.BooleanField(db_default=False, default=False, help_text='Before their first pair annotators go through the training set, with feedback, and pass the quiz. Which pairs these are stands on the training page. A set without pairs is passed at once.', verbose_name='train and test first'),
        ),
        migrations.AddField(
            model_name='project',
            name='qualify_round',
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddField(
            model_name='project',
            name='quiz_attempts',
            field=models.PositiveSmallIntegerField(db_default=2, default=2, help_text='Who has failed so often gets in only by a manager. 0: no limit.', validators=[django.core.validators.MaxValueValidator(100)], verbose_name='attempts at the quiz'),
        ),
        migrations.AddField(
            model_name='project',
            name='quiz_share',
            field=models.FloatField(db_default=0.8, default=0.8, help_text="Share of the quiz's known answers that must be right: 0.8 is at least 8 of 10.", validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='pass mark'),
        ),
        migrations.AddField(
            model_name='project',
            name='quiz_wait',
            field=models.PositiveIntegerField(db_default=60, default=60, help_text='From the end of one to the beginning of the next.', validators=[django.core.validators.MaxValueValidator(43200)], verbose_name='minutes between attempts'),
        ),
        migrations.AlterField(
            model_name='claim',
            name='kind',
            field=models.CharField(choices=[('label', 'for labels'), ('repeat', 'asked again, sides exchanged'), ('gold', 'its answer is known'), ('attention', 'attention check'), ('training', 'training'), ('quiz', 'quiz')], db_default='label', default='label', max_length=9),
        ),
        migrations.AlterField(
            model_name='frozenjudgment',
            name='standing',
            field=models.CharField(choices=[('counted', 'counted'), ('revised', 'revised by a later one'), ('retracted', 'takes an earlier one back'), ('waiting', 'came too late for a seat'), ('repeat', 'asked again, to measure consistency'), ('gold', 'asked to measure the annotator, as the answer is known'), ('attention', 'asked to see whether the annotator looks'), ('excluded', 'its annotator was excluded from labels'), ('twin', 'counted already under a criterion merged with this one')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='gold',
            index=models.Index(fields=['project', 'kind', 'id'], name='gold_of_kind'),
        ),
        migrations.AddConstraint(
            model_name='gold',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['gold', 'attention', 'training', 'quiz'])), name='gold_kind'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('gold_share__gte', 0), ('repeat_share__gte', 0), ('attention_share__gte', 0), ('repeat_share__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.Value(0.5), '-', models.F('gold_share')), '-', models.F('attention_share')))), name='project_control_shares', violation_error_message='What is asked again, what has a known answer and attention checks together must not exceed half.'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('quiz_attempts__lte', 100), ('quiz_share__range', (0, 1)), ('quiz_wait__lte', 43200)), name='project_quiz'),
        ),
        migrations.AddField(
            model_name='qualification',
            name='annotator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='qualifications', to='annotate.annotator'),
        ),
        migrations.AddField(
            model_name='qualification',
            name='let_in_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='trial',
            name='qualification',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='trials', to='annotate.qualification'),
        ),
        migrations.AddField(
            model_name='claim',
            name='trial',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='claims', to='annotate.trial'),
        ),
        migrations.AddIndex(
            model_name='claim',
            index=models.Index(condition=models.Q(('trial__isnull', False)), fields=['trial'], name='claim_in_trial'),
        ),
        migrations.AddIndex(
            model_name='claim',
            index=models.Index(condition=models.Q(('kind', 'training'), ('outcome', 'submitted'), ('read_at__isnull', True)), fields=['annotator'], name='claim_unread'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('draw__isnull', True), ('kind__in', ['gold', 'attention', 'training', 'quiz'])), models.Q(models.Q(('kind__in', ['gold', 'attention', 'training', 'quiz']), _negated=True), ('draw__isnull', False)), _connector='OR'), name='claim_by_a_draw'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['training', 'quiz']), ('trial__isnull', False)), models.Q(models.Q(('kind__in', ['training', 'quiz']), _negated=True), ('trial__isnull', True)), _connector='OR'), name='claim_of_a_trial'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ['gold', 'attention'])), fields=('pair', 'annotator'), name='claim_untold_once'),
        ),
        migrations.AddConstraint(
            model_name='qualification',
            constraint=models.UniqueConstraint(fields=('annotator', 'round'), name='qualification_once'),
        ),
        migrations.AddConstraint(
            model_name='qualification',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('passed_at__isnull', True), ('way', '')), models.Q(('passed_at__isnull', False), models.Q(('way', ''), _negated=True)), _connector='OR'), name='qualification_way'),
        ),
        migrations.AddConstraint(
            model_name='qualification',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('way', 'let_in'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='qualification_let_in_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.UniqueConstraint(fields=('qualification', 'part', 'number'), name='trial_once'),
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('qualification',), name='trial_open_once'),
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('result', '')), models.Q(('ended_at__isnull', False), models.Q(('result', ''), _negated=True)), _connector='OR'), name='trial_ended_with_result'),
        ),
    ]
