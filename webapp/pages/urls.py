from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from webapp.pages import (
    account,
    consent,
    crowd,
    dashboard,
    home,
    join,
    judge,
    media,
    offline,
    own_data,
    trail,
    withdraw,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", account.speak, name="language"),
    path("password/", account.PasswordChange.as_view(), name="password_change"),
    path("join/<str:token>/", join.join, name="join"),
    path("crowd/<slug:slug>/", crowd.arrive, name="crowd"),
    path("crowd/<slug:slug>/arrivals.csv", crowd.arrivals, name="crowd_arrivals"),
    path("account/data/", own_data.download, name="own_data"),
    path("sw.js", offline.worker, name="worker"),
    path("judge/<slug:slug>/", judge.judge, name="judge"),
    path("withdraw/<slug:slug>/", withdraw.withdraw, name="withdraw"),
    path("consent/<slug:slug>/", consent.consent, name="consent"),
    path("dashboard/<slug:slug>/", dashboard.dashboard, name="dashboard"),
    path("dashboard/<slug:slug>/state", dashboard.state, name="dashboard_state"),
    path("dashboard/<slug:slug>/consent/", consent.manage, name="dashboard_consent"),
    path("dashboard/<slug:slug>/audit/", trail.audit, name="audit"),
    path("dashboard/<slug:slug>/audit.csv", trail.table, name="audit_table"),
    path("dashboard/<slug:slug>/compute", dashboard.compute, name="dashboard_compute"),
    path("dashboard/<slug:slug>/<slug:name>.csv", dashboard.table, name="dashboard_table"),
    path("media/<uuid:claim_id>/<str:slot>/<str:kind>", media.of_claim, name="media"),
    path("assets/<int:asset_id>/<str:kind>/", media.of_asset, name="asset"),
]
