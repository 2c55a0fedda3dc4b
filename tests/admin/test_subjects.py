"""The models of the admin's index and navigation."""

from collections import Counter

from django.contrib import admin

from annotate.admin_site import SUBJECTS


def test_every_model_of_the_admin_stands_under_one_subject() -> None:
    registered = {model._meta.model_name for model in admin.site._registry}
    assert Counter(model for models in SUBJECTS.values() for model in models) == Counter(registered)
