FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked -p auth-http

FROM debian:bookworm-slim
COPY --from=build /build/target/release/auth-http /usr/local/bin/auth-http
RUN install -d -o 65532 -g 65532 /var/lib/auth
USER 65532:65532
WORKDIR /var/lib/auth
ENV AUTH__HTTP__BIND=0.0.0.0:8080
EXPOSE 8080
VOLUME /var/lib/auth
ENTRYPOINT ["/usr/local/bin/auth-http"]
