from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from webapp.pages import account, home, judge, media

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", account.PasswordChange.as_view(), name="password_change"),
    path("judge/<slug:slug>/", judge.judge, name="judge"),
    path("media/<uuid:claim_id>/<str:slot>/<str:variant>", media.of_claim, name="media"),
    path("assets/<int:asset_id>/<str:variant>/", media.of_asset, name="asset"),
]
