"""Lists of the admin in the order of an index; what a criterion says and where a pair's labels go is final.

A refusal of an append-only table names the trigger, as one of a constraint names that.
"""

import django.db.models.deletion
from django.db import migrations, models

FINAL = """
CREATE OR REPLACE FUNCTION evenhand_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('evenhand.erase', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END $$;
CREATE FUNCTION evenhand_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is final: % refused', TG_TABLE_NAME, OLD.id, TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER final_text BEFORE UPDATE ON annotate_criterion FOR EACH ROW
    WHEN (OLD.text IS DISTINCT FROM NEW.text OR OLD.text_key IS DISTINCT FROM NEW.text_key)
    EXECUTE FUNCTION evenhand_final();
CREATE TRIGGER final_partition BEFORE UPDATE ON annotate_pair FOR EACH ROW
    WHEN (OLD.partition IS DISTINCT FROM NEW.partition) EXECUTE FUNCTION evenhand_final();
"""

UNDO = """
DROP TRIGGER final_partition ON annotate_pair;
DROP TRIGGER final_text ON annotate_criterion;
DROP FUNCTION evenhand_final();
"""


class Migration(migrations.Migration):
    dependencies = [("annotate", "0014_offline")]
    operations = [
        migrations.RunSQL(FINAL, UNDO),
        migrations.RemoveIndex(model_name="auditentry", name="audit_project"),
        migrations.AlterField(
            model_name="asset",
            name="project",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="assets",
                to="annotate.project",
            ),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="project",
            field=models.ForeignKey(
                blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING,
                to="annotate.project",
            ),
        ),
        migrations.AlterField(
            model_name="criterion",
            name="project",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="criteria",
                to="annotate.project",
            ),
        ),
        migrations.AlterField(
            model_name="judgment",
            name="annotator",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="judgments",
                to="annotate.annotator",
            ),
        ),
        migrations.AddIndex(
            model_name="asset", index=models.Index(fields=['project', '-id'], name="asset_list")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=['project', '-id'], name="audit_list")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=['project', 'subject', '-at'], name="audit_history")
        ),
        migrations.AddIndex(
            model_name="criterion", index=models.Index(fields=['project', '-id'], name="criterion_list")
        ),
        migrations.AddIndex(
            model_name="judgment", index=models.Index(fields=['annotator', '-created_at'], name="judgment_list")
        ),
        migrations.AddIndex(
            model_name="pair", index=models.Index(fields=['project', '-id'], name="pair_list")
        ),
    ]
