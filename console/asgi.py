"""The web process: streams are raw ASGI, everything else is Django."""

import os

os.environ["SWITCHYARD_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
