"""What the ORM cannot state: composite foreign keys of seats and judgments, and append-only tables."""

from django.db import migrations

KEYS = """
ALTER TABLE annotate_seat ADD CONSTRAINT seat_comparison_k
    FOREIGN KEY (comparison_id, k) REFERENCES annotate_comparison (id, k) ON UPDATE CASCADE;
ALTER TABLE annotate_seat ADD CONSTRAINT seat_head_is_own
    FOREIGN KEY (head_id, comparison_id, annotator_id)
    REFERENCES annotate_judgment (id, comparison_id, annotator_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE annotate_judgment ADD CONSTRAINT judgment_supersedes_own
    FOREIGN KEY (supersedes_id, comparison_id, annotator_id)
    REFERENCES annotate_judgment (id, comparison_id, annotator_id) DEFERRABLE INITIALLY DEFERRED;

-- Append-only. The one erasure (a withdrawal, a whole project) says so for its transaction:
-- SET LOCAL evenhand.erase = 'on'.
CREATE FUNCTION evenhand_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('evenhand.erase', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_judgment
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_auditentry
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE DELETE ON annotate_draw
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only_but_open BEFORE UPDATE OF id, project_id, route, epoch, pos, pair_id, q, pool_size
    ON annotate_draw FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_frozencomparison
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON annotate_frozenjudgment
    FOR EACH ROW EXECUTE FUNCTION evenhand_append_only();
"""

UNDO = """
DROP TRIGGER append_only ON annotate_frozencomparison;
DROP TRIGGER append_only ON annotate_frozenjudgment;
DROP TRIGGER append_only_but_open ON annotate_draw;
DROP TRIGGER append_only ON annotate_draw;
DROP TRIGGER append_only ON annotate_auditentry;
DROP TRIGGER append_only ON annotate_judgment;
DROP FUNCTION evenhand_append_only();
ALTER TABLE annotate_judgment DROP CONSTRAINT judgment_supersedes_own;
ALTER TABLE annotate_seat DROP CONSTRAINT seat_head_is_own;
ALTER TABLE annotate_seat DROP CONSTRAINT seat_comparison_k;
"""


class Migration(migrations.Migration):
    dependencies = [("annotate", "0001_domain")]
    operations = [migrations.RunSQL(KEYS, UNDO)]
