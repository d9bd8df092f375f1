"""PgBouncer's pools as the collector last saw them."""

from django.conf import settings

from monitoring.collectors import told
from monitoring.collectors.pgbouncer import SOURCE, PgBouncerSample
from monitoring.collectors.told import Told


def pgbouncer() -> Told[PgBouncerSample] | None:
    """None where PGBOUNCER_ADMIN_URL names none: then there is nothing to look at."""
    return told.read(SOURCE, PgBouncerSample) if settings.PGBOUNCER_ADMIN_URL else None
