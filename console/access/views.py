"""Signing in."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.decorators import method_decorator

from console.access import lockout


@method_decorator(login_not_required, name="dispatch")
class SignIn(LoginView):
    """Says the same, after the same work, whether the account or only the password is wrong."""

    template_name = "access/sign_in.html"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.headers.get("HX-Request") and request.method == "GET":
            # A part of a page was asked for after the session ended: the whole page goes.
            return HttpResponse(headers={"HX-Redirect": _sign_in_from(request)})
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        username = request.POST.get("username", "")
        opens = lockout.reserve(username, request.META["REMOTE_ADDR"], now=timezone.now())
        if opens is not None:
            return self._locked(opens)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        lockout.forgive(self.request.POST["username"], self.request.META["REMOTE_ADDR"])
        return super().form_valid(form)

    def _locked(self, opens: datetime) -> HttpResponse:
        seconds = max(1, round((opens - timezone.now()).total_seconds()))
        form = _Closed(self.request, data=self.request.POST, opens=opens)
        response = self.render_to_response(self.get_context_data(form=form), status=429)
        response["Retry-After"] = str(seconds)
        return response


class _Closed(AuthenticationForm):
    """Refuses whatever was typed: the password is not even compared."""

    def __init__(self, request: HttpRequest, *, data: QueryDict, opens: datetime) -> None:
        super().__init__(request, data=data)
        self.opens = opens

    def clean(self) -> dict[str, Any]:
        raise ValidationError(
            f"Too many failed attempts. Sign-in opens again at {self.opens:%H:%M:%S} UTC."
        )


def _sign_in_from(request: HttpRequest) -> str:
    """Sign-in that leads back to the page the person was on, if it is one of ours."""
    current = urlsplit(request.headers.get("HX-Current-URL", ""))
    query = QueryDict(mutable=True)
    if current.netloc == request.get_host() and current.path.startswith("/"):
        query["next"] = f"{current.path}?{current.query}" if current.query else current.path
    return f"{resolve_url('sign-in')}?{query.urlencode(safe='/')}"
