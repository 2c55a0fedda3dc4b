from django.contrib import admin
from django.urls import include, path

from webapp.pages import health

urlpatterns = [
    path("health", health.health, name="health"),
    path("admin/", admin.site.urls),
    path("api/<str:version>/", include("webapp.api.urls")),
    path("", include("webapp.pages.urls")),
]
