from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated

from webapp.api import views

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]), name="api-schema"),
    path("projects/", views.Projects.as_view(), name="api-projects"),
    path("projects/<slug:slug>/", views.Project.as_view(), name="api-project"),
    path("projects/<slug:slug>/claims/", views.Claims.as_view(), name="api-claims"),
    path("projects/<slug:slug>/offline/", views.Offline.as_view(), name="api-offline"),
    path("projects/<slug:slug>/give-back/", views.GiveBack.as_view(), name="api-give-back"),
    path("projects/<slug:slug>/criteria/", views.LikeCriteria.as_view(), name="api-criteria"),
    path("projects/<slug:slug>/history/", views.History.as_view(), name="api-history"),
    path("claims/<uuid:claim_id>/", views.OneClaim.as_view(), name="api-claim"),
    path("claims/<uuid:claim_id>/submit/", views.Submit.as_view(), name="api-submit"),
    path("claims/<uuid:claim_id>/read/", views.Read.as_view(), name="api-read"),
    path("claims/<uuid:claim_id>/skip/", views.Skip.as_view(), name="api-skip"),
    path("claims/<uuid:claim_id>/undo/", views.Undo.as_view(), name="api-undo"),
    path("claims/<uuid:claim_id>/draft/", views.Draft.as_view(), name="api-draft"),
    path("claims/<uuid:claim_id>/heartbeat/", views.Heartbeat.as_view(), name="api-heartbeat"),
]
