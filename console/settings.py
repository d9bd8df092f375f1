"""Django's settings, from the environment alone (CONTRACT: Environment)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils.csp import CSP

from console import env
from console.database import (
    BROKER_SCHEMES,
    CACHE_SCHEMES,
    database_settings,
    postgres_url,
    replica_urls,
    server_url,
)
from console.logs import logging_settings
from console.notify_urls import destinations, public_url
from monitoring import tracing
from validation.checkpoint import Checkpoint
from validation.rpc.endpoints import NodeUrl

BASE_DIR = env.ROOT
VAR_DIR = env.var_dir()

DEBUG = env.boolean("DEBUG")
# `make up` and the tests say so: loopback nodes are allowed and cookies work over plain HTTP.
DEVELOPMENT = env.boolean("DEVELOPMENT")
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, low=1, high=65535)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.listed("ALLOWED_HOSTS") or (
    ["localhost", "127.0.0.1", "[::1]", HOST] if DEVELOPMENT else []
)
CSRF_TRUSTED_ORIGINS = env.listed("CSRF_TRUSTED_ORIGINS")
# Where people open the console: notifications link there.
PUBLIC_URL = public_url(
    env.origins("PUBLIC_URL"),
    CSRF_TRUSTED_ORIGINS,
    here=f"http://{HOST}:{PORT}" if DEVELOPMENT else "",
    hosts=ALLOWED_HOSTS,
)
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# Who may read /metrics without a token.
METRICS_NETWORKS = tuple(env.networks("METRICS_NETWORKS"))
# Where ranges of more than six hours are read from; "": from Postgres, as all others.
PROMETHEUS_URL = env.web_address("PROMETHEUS_URL")
# Whether this process, web or beat, offers to look at the servers every five seconds: one does.
COLLECT = env.boolean("COLLECT", default=True)
# OTEL_* is read by OpenTelemetry itself; here only what it would take and then not send.
if _refused := tracing.refusal(os.environ):
    env.refuse(*_refused)
# Who is told of alerts: addresses of Apprise, each may end in ;severity=critical and ;name=on-call.
NOTIFY_DESTINATIONS = destinations("NOTIFY_URLS")
NOTIFY_DIGESTS = env.chosen("NOTIFY_DIGESTS", ("daily", "weekly", "monthly"))
# Whose pages may ask /ofrep/ from a browser, and how many calls a token may make a minute, there
# and in /api/v1/.
OFREP_ORIGINS = tuple(env.origins("OFREP_ORIGINS"))
OFREP_RATE = env.integer("OFREP_RATE", 600_000, low=1, high=1_000_000_000)
API_RATE = env.integer("API_RATE", 12_000, low=1, high=1_000_000_000)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "console",
    "console.access",
    "console.flags",
    "console.experiments",
    "console.rehearsals",
    "console.roadmap",
    "console.rollouts",
    "validation",
    "monitoring",
]
MIDDLEWARE = [
    # First: everything behind it, errors too, is logged with its trace.
    "console.access.origin.known",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "console.access.remembered.RememberSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.replicas.middleware.ReadReplicas",
]
ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DB_POOL_MAX = env.integer("DB_POOL_MAX", 8, low=1, high=1000)
# A pool serves many request threads; a worker child keeps one plain connection of its own.
_IS_WEB = os.environ.get("SWITCHYARD_PROCESS") == "web"
DATABASES: dict[str, dict[str, Any]] = {
    "default": database_settings(env.text("DATABASE_URL"), pooled=_IS_WEB, pool_max=DB_POOL_MAX)
}
# Which web processes read from; each is one of their databases, with a pool of its own.
REPLICAS = replica_urls("DATABASE_REPLICA_URLS")
if _IS_WEB and REPLICAS:
    DATABASES |= {
        replica.label: database_settings(
            replica.url, pooled=True, pool_max=DB_POOL_MAX, pool=f"db.{replica.label}"
        )
        for replica in REPLICAS
    }
    DATABASE_ROUTERS = ["console.replicas.router.ReplicaRouter"]
# Postgres itself, as the role that migrates: behind PgBouncer the only way around it.
DATABASE_OWNER_URL = postgres_url("DATABASE_OWNER_URL")
# PgBouncer's own database, `pgbouncer`, whose SHOW commands are read.
PGBOUNCER_ADMIN_URL = postgres_url("PGBOUNCER_ADMIN_URL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Valkey or Redis: the cache and telemetry may evict, the broker never.
REDIS_URL = server_url("REDIS_URL", CACHE_SCHEMES)
CELERY_BROKER_URL = server_url("CELERY_BROKER_URL", BROKER_SCHEMES)

# Days until what has ended is dropped; 0: never.
RETAIN_RUNS_DAYS = env.integer("RETAIN_RUNS_DAYS", 0, low=0, high=36_500)
RETAIN_EVIDENCE_DAYS = env.integer("RETAIN_EVIDENCE_DAYS", 30, low=0, high=36_500)
RETAIN_AUDIT_DAYS = env.integer("RETAIN_AUDIT_DAYS", 0, low=0, high=36_500)
RETAIN_ALERTS_DAYS = env.integer("RETAIN_ALERTS_DAYS", 90, low=0, high=36_500)

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if not DEVELOPMENT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEVELOPMENT

CSRF_FAILURE_VIEW = "console.errors.csrf_failure"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
SESSION_COOKIE_AGE = int(timedelta(days=7).total_seconds())
# No script of ours reads it: forms carry their token.
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEVELOPMENT
SECURE_SSL_REDIRECT = not DEVELOPMENT and env.boolean("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 0 if DEVELOPMENT else int(timedelta(days=365).total_seconds())
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEVELOPMENT
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
# An upload of a million items is 70 MB of text; beyond memory's share it is spooled to disk.
DATA_UPLOAD_MAX_MEMORY_SIZE = 100 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# What the engine talks to. A stack without NODE_URLS has no node and says so on its pages.
NODES = tuple(
    env.parsed("NODE_URLS", NodeUrl.parse, env.listed("NODE_URLS"), "a list of node URLs")
)
if len(set(NODES)) < len(NODES):
    env.refuse("NODE_URLS", "…", "a list without repetitions")
NODE_CHAIN_ID = env.optional_integer("NODE_CHAIN_ID", low=1, high=2**63 - 1)
# A block that is trusted whoever says so: level 4 links others to it.
_trusted = env.parsed(
    "CHECKPOINT", Checkpoint.parse, [t for t in [env.text("CHECKPOINT")] if t], "number:hash"
)
CHECKPOINT = _trusted[0] if _trusted else None
NODE_PRIVATE_NETWORKS = tuple(env.networks("NODE_PRIVATE_NETWORKS"))
# Calls in flight a node over the whole fleet, shared out to WORKERS processes.
NODE_MAX_IN_FLIGHT = env.integer("NODE_MAX_IN_FLIGHT", 256, low=1, high=100_000)
WORKERS = env.integer("WORKERS", 2, low=1, high=512)
# What each worker process may hold; 0: its part of its group's or machine's memory. One that has
# just begun holds about 150 MB.
WORKER_MEMORY_MB = env.integer("WORKER_MEMORY_MB", 0, low=0, high=1_000_000)
if 0 < WORKER_MEMORY_MB < 192:  # noqa: PLR2004 - as the line below says
    env.refuse("WORKER_MEMORY_MB", str(WORKER_MEMORY_MB), "0, or at least 192")
# Calls a second a node over the whole fleet; 0: as many as it takes.
NODE_RATE_LIMIT = env.integer("NODE_RATE_LIMIT", 0, low=0, high=10_000_000)
# The first tier of the cache, in each worker process: entries, and the seconds one is kept at most.
L1_CACHE_SIZE = env.integer("L1_CACHE_SIZE", 10_000, low=1, high=10_000_000)
L1_TTL = env.integer("L1_TTL", 300, low=1, high=86_400)
# What makes the flags' source of a worker process; "": the code's defaults hold.
FLAG_SOURCE = "console.flags.process.worker_flags"

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_settings(readable=DEVELOPMENT)
