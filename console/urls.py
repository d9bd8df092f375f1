"""Every address of the console; `/events`, `/livez` and `/readyz` are answered before Django."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from console.access.views import SignIn

urlpatterns = [
    path("", include("console.pages.urls")),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
    path("admin/", admin.site.urls),
]
