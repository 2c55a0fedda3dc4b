"""The rows that a release is frozen in, append-only like the judgments they name."""

import django.db.models.deletion
from django.db import migrations, models

FROZEN = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_frozencomparison
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_frozenjudgment
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
"""

UNDO = """
DROP TRIGGER append_only ON annotate_frozencomparison;
DROP TRIGGER append_only ON annotate_frozenjudgment;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0002_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="release",
            name="directory",
            field=models.TextField(blank=True),
        ),
        migrations.CreateModel(
            name="FrozenComparison",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task_type",
                    models.CharField(
                        choices=[
                            ("text_to_text", "text to text"),
                            ("text_image_to_text", "text and image to text"),
                            ("text_video_to_text", "text and video to text"),
                            ("text_audio_to_text", "text and audio to text"),
                            ("text_to_image", "text to image"),
                            ("text_to_video", "text to video"),
                            ("text_to_audio", "text to audio"),
                            ("text_to_3D", "text to 3D"),
                            ("text_image_to_image", "text and image to image"),
                            ("other", "another mix"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "partition",
                    models.CharField(
                        choices=[("reserve", "reserve"), ("validation", "validation"), ("train", "train")],
                        max_length=10,
                    ),
                ),
                (
                    "leaks",
                    models.BooleanField(
                        help_text="its prompt group or a medium also stands in a partition kept from it"
                    ),
                ),
                (
                    "criterion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotate.criterion"
                    ),
                ),
                (
                    "pair",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotate.pair"
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comparisons",
                        to="annotate.release",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FrozenJudgment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "standing",
                    models.CharField(
                        choices=[
                            ("counted", "counted"),
                            ("revised", "revised by a later one"),
                            ("retracted", "takes an earlier one back"),
                            ("waiting", "came too late for a seat"),
                            ("repeat", "asked again, to measure consistency"),
                            ("twin", "counted already under a criterion merged with this one"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "comparison",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judgments",
                        to="annotate.frozencomparison",
                    ),
                ),
                (
                    "judgment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotate.judgment"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="frozencomparison",
            index=models.Index(fields=["release", "id"], name="frozen_in_order"),
        ),
        migrations.AddIndex(
            model_name="frozencomparison",
            index=models.Index(fields=["release", "task_type", "partition", "id"], name="frozen_by_part"),
        ),
        migrations.RunSQL(FROZEN, UNDO),
    ]
