"""Labels that can be trusted: repeats, more labels on disagreement, gold, exclusion."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0021_review'),
    ]

    operations = [
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(max_length=2000)),
                ('made_at', models.DateTimeField()),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Gold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('response1', 'response 1'), ('response2', 'response 2'), ('tie', 'tie')], max_length=9)),
                ('note', models.TextField(blank=True, max_length=2000)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddField(
            model_name='claim',
            name='kind',
            field=models.CharField(choices=[('label', 'for labels'), ('repeat', 'asked again, sides exchanged'), ('gold', 'its answer is known')], db_default='label', default='label', max_length=6),
        ),
        migrations.AddField(
            model_name='comparison',
            name='extra',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='of k, labels that were added because annotators disagreed'),
        ),
        migrations.AddField(
            model_name='criterion',
            name='k',
            field=models.PositiveSmallIntegerField(blank=True, help_text='of comparisons by it that are made from now on, outside the reserve. Empty: as the project wants', null=True, verbose_name='labels wanted'),
        ),
        migrations.AddField(
            model_name='criterion',
            name='objective',
            field=models.BooleanField(db_default=False, default=False, help_text='it has one right answer, which whoever looks closely finds: the answer may be known'),
        ),
        migrations.AddField(
            model_name='project',
            name='gold_share',
            field=models.FloatField(db_default=0, default=0, help_text='Share of what an annotator gets whose answer is known, of pairs that they have not seen: it tells how often they are right. They are not told, and it never counts as a label.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.5)], verbose_name='share with known answers'),
        ),
        migrations.AddField(
            model_name='project',
            name='k_more',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='So many more labels are asked for where a comparison has all that it wants and no verdict has more than half of those for response 1, response 2 or a tie. 0: none.', validators=[django.core.validators.MaxValueValidator(8)], verbose_name='labels added on disagreement'),
        ),
        migrations.AddField(
            model_name='project',
            name='k_more_reserve',
            field=models.BooleanField(db_default=False, default=False, help_text='Add labels on disagreement to comparisons of the benchmark, too.', verbose_name='also in the reserve'),
        ),
        migrations.AddField(
            model_name='project',
            name='k_most',
            field=models.PositiveSmallIntegerField(db_default=7, default=7, help_text='Where a comparison has as many, disagreement adds no more.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(9)], verbose_name='labels at most'),
        ),
        migrations.AddField(
            model_name='project',
            name='repeat_after',
            field=models.PositiveSmallIntegerField(db_default=20, default=20, help_text='Pairs that an annotator judges in between, at least.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)], verbose_name='asked again after'),
        ),
        migrations.AddField(
            model_name='project',
            name='repeat_share',
            field=models.FloatField(db_default=0, default=0, help_text='Share of what an annotator gets that they judged before, sides exchanged: it tells how steady they are. They are not told, and it never counts as a label.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.5)], verbose_name='share asked again'),
        ),
        migrations.AlterField(
            model_name='claim',
            name='draw',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='claims', to='annotate.draw'),
        ),
        migrations.AlterField(
            model_name='frozenjudgment',
            name='standing',
            field=models.CharField(choices=[('counted', 'counted'), ('revised', 'revised by a later one'), ('retracted', 'takes an earlier one back'), ('waiting', 'came too late for a seat'), ('repeat', 'asked again, to measure consistency'), ('gold', 'asked to measure the annotator, as the answer is known'), ('excluded', 'its annotator was excluded from labels'), ('twin', 'counted already under a criterion merged with this one')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='claim',
            index=models.Index(condition=models.Q(('kind', 'label'), ('outcome', 'submitted')), fields=['annotator', '-created_at'], name='claim_repeatable'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'repeat'), ('repeat_of__isnull', False)), models.Q(models.Q(('kind', 'repeat'), _negated=True), ('repeat_of__isnull', True)), _connector='OR'), name='claim_repeats_another'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('draw__isnull', True), ('kind', 'gold')), models.Q(models.Q(('kind', 'gold'), _negated=True), ('draw__isnull', False)), _connector='OR'), name='claim_by_a_draw'),
        ),
        migrations.AddConstraint(
            model_name='claim',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'gold')), fields=('pair', 'annotator'), name='claim_gold_once'),
        ),
        migrations.AddConstraint(
            model_name='comparison',
            constraint=models.CheckConstraint(condition=models.Q(('extra__lt', models.F('k'))), name='comparison_extra'),
        ),
        migrations.AddConstraint(
            model_name='criterion',
            constraint=models.CheckConstraint(condition=models.Q(('k__isnull', True), ('k__range', (1, 9)), _connector='OR'), name='criterion_k'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('k_more__range', (0, 8))), name='project_k_more'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('k_most__range', (1, 9))), name='project_k_most'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('gold_share__gte', 0), ('repeat_share__gte', 0), ('repeat_share__lte', django.db.models.expressions.CombinedExpression(models.Value(0.5), '-', models.F('gold_share')))), name='project_control_shares', violation_error_message='What is asked again and what has a known answer together must not exceed half.'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('repeat_after__range', (1, 100))), name='project_repeat_after'),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='annotator',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='exclusions', to='annotate.annotator'),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='lifted_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='exclusion',
            name='made_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='gold',
            name='comparison',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='gold', to='annotate.comparison'),
        ),
        migrations.AddField(
            model_name='gold',
            name='made_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='gold',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='gold', to='annotate.project'),
        ),
        migrations.AddIndex(
            model_name='exclusion',
            index=models.Index(fields=['annotator', 'made_at'], name='exclusion_list'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(condition=models.Q(('lifted_at__isnull', True)), fields=('annotator',), name='exclusion_once'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.CheckConstraint(condition=models.Q(('since__isnull', True), ('since__lte', models.F('made_at')), _connector='OR'), name='exclusion_since'),
        ),
        migrations.AddIndex(
            model_name='gold',
            index=models.Index(fields=['project', 'id'], name='gold_of_project'),
        ),
        migrations.AddConstraint(
            model_name='gold',
            constraint=models.CheckConstraint(condition=models.Q(('verdict__in', ['response1', 'response2', 'tie'])), name='gold_verdict'),
        ),
    ]
