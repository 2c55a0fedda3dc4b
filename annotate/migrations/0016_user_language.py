from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0015_admin_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='language',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='chosen for the interface, one of settings.LANGUAGES; empty: as the browser asks', max_length=16),
        ),
    ]
