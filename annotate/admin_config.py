from django.contrib.admin.apps import AdminConfig


class EvenhandAdminConfig(AdminConfig):
    """Django's admin with our site, which stands outside the package admin: that registers with it on import."""

    default_site = "annotate.admin_site.Site"
