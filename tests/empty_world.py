"""Nothing seen, kept or waiting: for tests that judge all there is, whatever ran before them.

Django empties its own tables behind a test that commits. It knows nothing of the history, of whose
turn it is to look, nor of what lies on the cache server and in the broker.
"""

import redis
from django.conf import settings
from django.db import connection

# A crowded machine may keep a server from answering for longer than the product's clients wait.
_PATIENCE_S = 30
_NOBODY_LOOKED = """
    TRUNCATE monitoring_point_10s, monitoring_point_1m, monitoring_point_1h;
    UPDATE monitoring_collector SET holder = '', until = 'epoch', slot = 'epoch';
    UPDATE monitoring_alertturn SET slot = 'epoch', number = 0, holder = '', looked_at = NULL
"""


def begin() -> None:
    """For a test with `django_db(transaction=True)`: what it finds here it has made itself."""
    empty_servers()
    with connection.cursor() as cursor:
        cursor.execute(_NOBODY_LOOKED)


def empty_servers() -> None:
    """Wake-ups too: runs that other tests started rang for workers that never were."""
    for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL):
        # Celery writes a socket as redis+socket://, redis-py as unix://.
        address = url.replace("redis+socket://", "unix://", 1)
        with redis.Redis.from_url(address, socket_timeout=_PATIENCE_S) as server:
            server.flushdb()
