"""One machine's own PostgreSQL and Redis, and the supervisor of `manage.py up`. It runs before Django."""
