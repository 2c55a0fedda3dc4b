"""What an import brings is seen once it is done: the condition for it, in SQL. As a filter: queries.VISIBLE_IMPORT."""


def visible(alias: str) -> str:
    """That a row of a table with a data_import_id is seen: it was made here, or by an import that is done."""
    return f"""({alias}.data_import_id IS NULL
                  OR EXISTS (SELECT FROM annotate_dataimport i
                             WHERE i.id = {alias}.data_import_id AND i.visible))"""
