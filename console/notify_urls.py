"""What NOTIFY_URLS and PUBLIC_URL come to, refused by name where they are wrong."""

from collections.abc import Sequence

from console import env
from monitoring.alerts.destinations import Destination, listed


def destinations(name: str) -> tuple[Destination, ...]:
    """In the order they are named. Apprise is not asked here: that would cost each start half a
    second. `manage.py check --deploy` asks it.
    """
    found = env.parsed(name, Destination.parse, listed(env.text(name)), "a list of addresses")
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        env.refuse(name, "…", f"a list without repetitions: {twice} is there twice")
    return tuple(found)


def public_url(
    said: Sequence[str], trusted: Sequence[str], *, here: str, hosts: Sequence[str]
) -> str:
    """The origin of the console as people write it; "": nobody said."""
    if len(said) > 1:
        env.refuse(
            "PUBLIC_URL", ",".join(said), "one origin such as https://switchyard.example.com"
        )
    named = [host for host in hosts if not host.startswith((".", "*"))]
    plain = [origin.rstrip("/") for origin in trusted if "*" not in origin]
    every = [*said, *plain, here, *(f"https://{host}" for host in named)]
    return next((origin for origin in every if origin), "")
