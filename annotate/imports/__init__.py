"""Reading pairs into a project: one file a format, all of them yielding one record type."""
