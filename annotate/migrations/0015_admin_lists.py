"""What a criterion says and where a pair's labels go is final: the database refuses to change it.

A refusal of an append-only table names the trigger, as one of a constraint names that.
"""

from django.db import migrations

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
    dependencies = [("annotate", "0011_claim_draft")]
    operations = [migrations.RunSQL(FINAL, UNDO)]
