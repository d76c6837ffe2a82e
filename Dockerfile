# One Dockerfile for every leaderboard. `helm-repro bake --print` shows the arguments;
# `docker build .` alone stops at the last step, because no leaderboard is given.
#
# There is no "# syntax=" line on purpose: it would fetch the frontend from a registry,
# and everything used here is in the frontend that comes with Docker 23 and later.

ARG PYTHON_VERSION=3.11
ARG BASE_IMAGE=python:${PYTHON_VERSION}-slim-bookworm


# A board directory is given as a build context of this name and replaces this stage:
# https://docs.docker.com/reference/cli/docker/buildx/build/#build-context
FROM scratch AS board


FROM ${BASE_IMAGE} AS base


# ---- Build stages: tools, compilers and caches end here ---------------------------

FROM base AS tools
# uv comes by pip, hash-checked, because a binary image of it needs another registry.
# Debian's own Python has no pip; `--target` leaves the system's packages alone:
# https://packaging.python.org/specifications/externally-managed-environments/
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=bind,source=images/uv.txt,target=/tmp/uv.txt \
    --mount=type=secret,id=ca --mount=type=secret,id=index \
    . /tmp/build-environment.sh; \
    apt_install binutils; \
    python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip; \
    python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --target /opt/uv --requirement /tmp/uv.txt


# An environment that extends another starts where that one ends: its build contexts replace
# the stages "inherited-…" by the stages "…" of the other (helm_repro/images/definition.py).
FROM tools AS inherited-environment


FROM inherited-environment AS environment
ARG PYTHON_VERSION
ARG BUILD_PACKAGES=""
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=secret,id=ca \
    . /tmp/build-environment.sh; \
    apt_install ${BUILD_PACKAGES}

ARG ENVIRONMENT
# One RUN, so that what is trimmed is never stored. Bytecode is compiled here, once: without
# it a container spends 10 s compiling on every start.
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=bind,source=images/${ENVIRONMENT}/requirements.lock,target=/tmp/requirements.lock \
    --mount=type=bind,source=images/${ENVIRONMENT}/build-constraints.txt,target=/tmp/build-constraints.txt \
    --mount=type=bind,source=helm_repro/images/trim.py,target=/tmp/trim.py \
    --mount=type=bind,source=helm_repro/images/layer.py,target=/tmp/layer.py \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=secret,id=ca --mount=type=secret,id=index \
    . /tmp/build-environment.sh; \
    [ -d /opt/helm ] || /opt/uv/bin/uv venv --quiet --no-config --python "python${PYTHON_VERSION}" /opt/helm; \
    again="$(/opt/helm/bin/python /tmp/trim.py /opt/helm /tmp/requirements.lock)"; \
    /opt/uv/bin/uv pip sync --quiet --no-config --python /opt/helm/bin/python --link-mode=copy ${again} \
        --require-hashes --build-constraints /tmp/build-constraints.txt /tmp/requirements.lock; \
    /opt/helm/bin/python /tmp/trim.py /opt/helm; \
    /opt/helm/bin/python /tmp/layer.py compile /opt/helm/lib


FROM base AS code
ARG PYTHON_VERSION
WORKDIR /opt/helm-repro
COPY entrypoint.py ./
COPY helm_repro/__init__.py helm_repro/
COPY helm_repro/inside helm_repro/inside
RUN chmod -R a+rX . && "python${PYTHON_VERSION}" -m compileall -q --invalidation-mode unchecked-hash .


# ---- The image ---------------------------------------------------------------------

FROM base AS system
ARG PYTHON_VERSION
# tini forwards signals and reaps what HELM's subprocesses leave: https://github.com/krallin/tini
# Base images ship the standard library without bytecode; nobody unprivileged could write it later.
# /data belongs to everybody, like /tmp: the image runs as whichever --user it is given.
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=secret,id=ca \
    . /tmp/build-environment.sh; \
    apt_install ca-certificates tini; \
    stdlib="$("python${PYTHON_VERSION}" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"; \
    "python${PYTHON_VERSION}" -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        -x '/(test|tests|idlelib|lib2to3|ensurepip|turtledemo|tkinter|site-packages|dist-packages)/' "$stdlib"; \
    groupadd --gid 1000 helm; \
    useradd --uid 1000 --gid helm --no-create-home --home-dir /tmp --shell /usr/sbin/nologin helm; \
    install -d -m 1777 /data


FROM system AS inherited-layers


# Not COPY: it would store the whole environment again, and cannot remove a file.
FROM inherited-layers AS layers
ARG PYTHON_VERSION
RUN --mount=type=bind,from=environment,source=/opt/helm,target=/run/helm \
    --mount=type=bind,source=helm_repro/images/layer.py,target=/tmp/layer.py \
    "python${PYTHON_VERSION}" /tmp/layer.py apply /run/helm /opt/helm


FROM layers AS image
ARG SYSTEM_PACKAGES=""
RUN --mount=type=bind,source=images/build-environment.sh,target=/tmp/build-environment.sh \
    --mount=type=secret,id=ca \
    . /tmp/build-environment.sh; \
    apt_install ${SYSTEM_PACKAGES}

# HOME and LOGNAME: a --user without an entry in /etc/passwd has neither.
# What HELM's libraries download lies under /data too, so that a volume keeps it.
ENV PATH="/opt/helm/bin:${PATH}" \
    LANG=C.UTF-8 \
    HOME=/tmp \
    LOGNAME=helm \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/data/prod_env/cache/huggingface \
    NLTK_DATA=/data/prod_env/cache/nltk \
    TIKTOKEN_CACHE_DIR=/data/prod_env/cache/tiktoken

COPY --from=code /opt/helm-repro /opt/helm-repro

WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["tini", "--", "/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py"]
# Without the server stage a running container is healthy; with it, once the page answers.
# Runs before it may take days, and a failing check within the start period counts for nothing.
HEALTHCHECK --interval=15s --timeout=10s --start-period=720h \
    CMD ["/opt/helm/bin/python", "/opt/helm-repro/entrypoint.py", "healthcheck"]

# The only layer of its own that a leaderboard has. `check-board` adds the schema from
# HELM's wheel and ends the build if it is not the one in the catalogue.
RUN --mount=type=bind,from=board,target=/run/board \
    cp -R /run/board /opt/helm-repro/board \
    && chmod -R a+rX /opt/helm-repro/board \
    && /opt/helm/bin/python /opt/helm-repro/entrypoint.py check-board

USER helm
