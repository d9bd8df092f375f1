"""The peer of `bench_web`: the same console behind Django's own ASGI handler.

Without the connection pool: that handler takes a thread a request, and the pool refuses at 64.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
