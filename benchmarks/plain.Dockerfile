# What somebody who follows HELM's installation page builds: the newest packages that pip finds.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=secret,id=ca --mount=type=secret,id=index \
    . /tmp/build-environment.sh; \
    apt_install gcc libc6-dev python3-dev python3-venv ca-certificates; \
    python3 -m venv /opt/plain; \
    /opt/plain/bin/pip install --quiet --no-cache-dir "crfm-helm[openai]==0.5.16"
ENV PATH="/opt/plain/bin:${PATH}" HOME=/tmp
WORKDIR /data
