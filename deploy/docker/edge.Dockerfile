# The HTTP edge. From the root of the repository:
#   docker build -f deploy/docker/edge.Dockerfile -t ghcr.io/facesearch/facesearch-edge:0.1.0 .
# docs/docker.md says how to run it.

# By date and digest: a build of next year starts from the same files. docs/docker.md has how to renew it.
FROM debian:bookworm-20261005-slim@sha256:7c7b2c966bc9ee8cedfeef67e0e279108992c77681fa595db4a9d65c06ccc587 AS base
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log

FROM base AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/*
# pip has a place of its own, so that what is copied from here has none.
RUN python3 -m venv /pip \
 && python3 -m venv --without-pip /opt/facesearch
WORKDIR /source
COPY requirements/build.txt requirements/otel.txt requirements/
# Wheels only: nothing is compiled, here or anywhere.
RUN /pip/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
      --only-binary :all: -r requirements/build.txt \
 && /pip/bin/pip --python /opt/facesearch/bin/python install --no-cache-dir \
      --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
      -r requirements/otel.txt
COPY . .
RUN /pip/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation \
      --no-index --wheel-dir /wheels ./proto . \
 && /pip/bin/pip --python /opt/facesearch/bin/python install --no-cache-dir \
      --disable-pip-version-check --no-deps --no-index /wheels/*.whl

FROM base
RUN groupadd --gid 10001 facesearch \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin \
      facesearch \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/facesearch /opt/facesearch
# PYTHONSAFEPATH: a folder called "edge" in the data folder is not our module.
ENV PATH=/opt/facesearch/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    EDGE_HOST=0.0.0.0 \
    STORAGE_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-m", "edge.health"]
ENTRYPOINT ["python", "-m", "edge"]
# Last: another commit changes nothing but this.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="facesearch edge" \
      org.opencontainers.image.description="Selfie in, photos out: the REST edge" \
      org.opencontainers.image.source="https://github.com/facesearch/facesearch" \
      org.opencontainers.image.documentation="https://github.com/facesearch/facesearch/blob/main/docs/docker.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
