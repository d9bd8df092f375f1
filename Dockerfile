# The image of web, worker, beat and migrations: what requirements/base.txt locks, and the code.
FROM python:3.13.14-slim AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /requirements.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes --only-binary :all: --requirement /requirements.txt

FROM python:3.13.14-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=console.settings \
    VAR_DIR=/tmp/switchyard \
    STATIC_ROOT=/app/staticfiles
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin switchyard
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py ./
COPY console console
COPY validation validation
COPY monitoring monitoring
COPY templates templates
COPY static static
COPY docs/runbooks docs/runbooks
# The code is compiled and the static files are hashed and compressed once, here: the file system
# of a running container is read-only.
RUN python -m compileall -q /app /venv && python manage.py collectstatic --no-input
USER 10001:10001
EXPOSE 8000
CMD ["uvicorn", "console.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", "5"]
