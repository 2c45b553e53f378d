# The base is pinned to a patch release; the release workflow and `make image BASE=…@sha256:…` pin it by digest as well.
ARG BASE=docker.io/library/python:3.13.16-slim-trixie

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
# Both secrets are optional: a pip.conf that names a mirror, and the CA certificates of a proxy. Neither ends up in the image.
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates,target=/run/secrets/ca-certificates \
    if [ -e /run/secrets/ca-certificates ]; then export PIP_CERT=/run/secrets/ca-certificates; fi \
    && export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_REQUIRE_HASHES=1 PIP_ONLY_BINARY=:all: \
    && python3 -m venv /opt/build && python3 -m venv --without-pip /opt/pullkeeper \
    && /opt/build/bin/pip install --quiet -r requirements/build.txt \
    && /opt/build/bin/pip --python /opt/pullkeeper/bin/python install --quiet --no-compile -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY controller controller
COPY image image
ARG SOURCE_DATE_EPOCH=0
RUN export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INDEX=1 \
    && /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/build/bin/pip --python /opt/pullkeeper/bin/python install --quiet --no-compile --no-deps /wheel/*.whl \
    && /opt/pullkeeper/bin/python -B image/trim.py \
    && python3 -B image/rootfs.py /rootfs /opt/pullkeeper

# No package manager, compiler or shell: the image contains only what rootfs.py copies.
FROM scratch
COPY --from=build /rootfs /
ENV PATH=/opt/pullkeeper/bin:/usr/local/bin:/usr/bin \
    HOME=/home/nonroot \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["pullkeeper"]
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="pullkeeper" \
      org.opencontainers.image.description="Maintains an image pull Secret for Amazon ECR in every Kubernetes namespace that opts in." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
ENV PULLKEEPER_REVISION="${REVISION}"
