# Built on the Debian that the image below is made from: the binary uses its C library.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked -p auth-http && install -d /image/var/lib/auth

# No shell, no package manager, no root: the binary, a C library and the time zones.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/auth-http /usr/local/bin/auth-http
# What the service keeps on an embedded database; with PostgreSQL and a mail server it writes nothing.
COPY --from=build --chown=65532:65532 /image/var/lib/auth /var/lib/auth
USER 65532:65532
WORKDIR /var/lib/auth
VOLUME /var/lib/auth
ENV AUTH__HTTP__BIND=0.0.0.0:8080 AUTH__LOG__FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s \
    CMD ["/usr/local/bin/auth-http", "health"]
ENTRYPOINT ["/usr/local/bin/auth-http"]
