# The build: the same command as outside, so flags and package list stand in one place each.
FROM swift:6.3-bookworm AS build
WORKDIR /src
COPY Scripts/setup Scripts/packages.txt Scripts/
RUN Scripts/setup run
COPY Makefile Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN make release && install -D .build/release/relay /out/relay

FROM debian:bookworm-slim
# Debian keeps one version per release, with security fixes: a pinned one would disappear.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libmemcached11 libpng16-16 libsimdjson14 libssl3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/relay /usr/bin/relay
# A library that the binary wants and the list above lacks ends the build here, not the first start.
RUN libraries=$(ldd /usr/bin/relay) && case $libraries in *'not found'*) echo "$libraries"; exit 1 ;; esac
USER 65532:65532
EXPOSE 5001
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/bin/relay", "health"]
ENTRYPOINT ["/usr/bin/relay"]
