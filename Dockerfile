# One image for worker, beat, Flower, sandbox and the `klaviyo` command. Without a root user, without development tools.

FROM python:3.12-slim AS build
WORKDIR /source

# Everything that the lock file names, its hashes checked, as wheels in a folder …
COPY requirements.lock ./
RUN pip wheel --no-cache-dir --disable-pip-version-check \
        --no-deps --require-hashes --requirement requirements.lock --wheel-dir /wheels

# … and out of that folder only what the project itself needs. Development tools stay behind in it.
COPY pyproject.toml README.md ./
COPY worker worker
COPY tasks tasks
COPY schedules schedules
COPY cli cli
COPY sandbox sandbox
# The extras that it has; for more of them: docker build --build-arg EXTRAS=sandbox,postgres,parquet,otel .
ARG EXTRAS=sandbox,postgres
RUN python -m venv /opt/klaviyo \
    && /opt/klaviyo/bin/pip install --no-cache-dir --disable-pip-version-check --no-index --find-links /wheels ".[$EXTRAS]" \
    && /opt/klaviyo/bin/python -m compileall -q /opt/klaviyo/lib \
    && /opt/klaviyo/bin/pip uninstall --yes --quiet pip

FROM python:3.12-slim
# /data is where the user may write; a volume put there is the user's too.
RUN useradd --system --uid 1000 --home-dir /data klaviyo && install --directory --owner klaviyo /data
COPY --from=build /opt/klaviyo /opt/klaviyo
ENV PATH=/opt/klaviyo/bin:$PATH PYTHONUNBUFFERED=1
USER klaviyo
WORKDIR /data
CMD ["celery", "--quiet", "-A", "worker", "worker", "--loglevel", "info"]
