"""What an import found nearly the same among its prompts stands on its row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotate", "0024_pools")]

    operations = [
        migrations.AddField(
            model_name="dataimport",
            name="near_duplicates",
            field=models.JSONField(
                default=dict, help_text="prompts nearly the same as others, once they were looked for"
            ),
        ),
    ]
