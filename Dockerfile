# The bot alone, as a user without rights. Build: docker build -t forewarm .
# With the packages of the clouds (docs/providers.md): docker build --build-arg EXTRAS=clouds -t forewarm .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /app
ARG EXTRAS=""
COPY requirements-serve.lock requirements-clouds.lock ./
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r requirements-serve.lock ${EXTRAS:+-r requirements-$EXTRAS.lock}
# What builds the wheel is checked by its hash as well, and does not stay.
RUN echo 'setuptools==84.2.1 --hash=sha256:ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2' > build.lock \
 && /app/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps . \
 && /app/bin/pip uninstall --yes --quiet setuptools pip \
 && /app/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /app/lib

FROM python:3.11.14-slim-bookworm
# git reads the repositories; ssh fetches those that are reached by it; tini passes on a SIGTERM that
# comes before the bot listens to it, which the first process of a container would never get.
# The official image leaves Python's own library uncompiled, and this user could not keep what a
# start compiles.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client tini \
 && rm -rf /var/lib/apt/lists/* \
 && python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash \
      -x '/(site-packages|dist-packages|ensurepip|idlelib|lib2to3|test|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
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
# The rules for secrets are compiled once, here, and loaded from the cache folder at each start.
RUN python -c "from bot.context.secrets.find import preload; preload()"
VOLUME /var/lib/forewarm
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "-s", "--"]
CMD ["forewarm", "serve"]
