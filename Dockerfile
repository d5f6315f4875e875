# The bot alone, as a user without rights. Build: docker build -t forewarm .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /app
COPY requirements-serve.lock ./
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-serve.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
# setuptools builds the wheel from what stands here alone; its own version is the image's.
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
 && /app/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app/lib \
 && /app/bin/pip uninstall --yes --quiet pip

FROM python:3.11.14-slim-bookworm
# git reads the repositories; ssh fetches those that are reached by it.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --home-dir /home/forewarm forewarm \
 && install -d -o forewarm -g forewarm /var/lib/forewarm /etc/forewarm/contexts
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PORT=3000 \
    FOREWARM_HOME=/var/lib/forewarm \
    FOREWARM_CONTEXTS=/etc/forewarm/contexts
USER 10001
WORKDIR /home/forewarm
VOLUME /var/lib/forewarm
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["forewarm", "serve"]
