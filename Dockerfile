# The build: the same command as outside, so flags and package list stand in one place each.
FROM swift:6.3-bookworm AS build
WORKDIR /src
COPY Scripts/setup Scripts/packages.txt Scripts/check-binary Scripts/stamp Scripts/tokens Scripts/
RUN Scripts/setup run
COPY Makefile Package.swift ./
COPY Vocabularies Vocabularies
COPY Sources Sources
COPY Tests Tests
RUN make release && install -D -t /out .build/release/relay .build/release/relay.tokens
# What `relay --version` says: `docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD)`.
ARG COMMIT
ARG SOURCE_DATE_EPOCH
RUN Scripts/stamp /out/relay

# What the binary needs of Debian, as new as its security fixes are. Two of these libraries are built here, in the same versions,
# without LDAP, Kerberos, SSH and other things that the relay cannot use.
FROM debian:bookworm-slim AS gather
COPY Scripts/debian-source deploy/libraries /usr/local/bin/
# Debian keeps one version per release, with security fixes: a pinned one would disappear.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libmemcached11 libpng16-16 libpq5 \
        libsimdjson14 libsqlite3-0 libssl3 libzstd1 zlib1g \
        dpkg-dev gcc libc6-dev libidn2-dev libnghttp2-dev libssl-dev make pkg-config \
    && libraries \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/gather /usr/local/bin/gather
COPY --from=build /out /out
# A library that the binary wants and the list above lacks ends the build here, not the first start.
RUN gather /out/relay /image && install -d -m 750 /data/relay

# Nothing else: no shell, no package manager, nothing that belongs to root and could be run by others to become it.
FROM scratch
COPY --from=gather /image /
# For DATA_DIR: a new volume that is mounted here has this owner (deploy/data.yml).
COPY --from=gather --chown=65532:65532 /data /var/lib
USER 65532:65532
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/bin/relay", "health"]
ENTRYPOINT ["/usr/bin/relay"]
