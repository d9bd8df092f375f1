"""How many alerts fire, beside the word Alerts on every page."""

from django import template
from django.db import DatabaseError, InterfaceError

from monitoring.models import Alert

register = template.Library()


@register.inclusion_tag("components/firing.html")
def firing() -> dict[str, int | None]:
    return {"firing": count()}


def count() -> int | None:
    """None: not known. The page itself may be there to say that Postgres is not."""
    try:
        return Alert.objects.exclude(state="cleared").filter(state="firing").count()
    except (DatabaseError, InterfaceError):
        return None
