# What people type. Each is one line that also works without just.

# Run the service on ./data, with mails as files in ./data/outbox.
run *arguments:
    cargo run --release -p auth-http -- {{arguments}}

# All tests; installs what they need. --long: with long trials in full.
test *arguments:
    scripts/test {{arguments}}

# Breaks what the service stands on while people use it, and says what was seen.
faults *arguments:
    AUTH_TEST_LONG=1 cargo test --locked -p auth-http --test faults -- --nocapture {{arguments}}

# Schemathesis against the running service: installs it if it is missing.
schemathesis:
    scripts/schemathesis

# libFuzzer on the parsers at the edge: so many seconds for each, or for the ones that are named.
libfuzzer seconds="30" *targets:
    scripts/libfuzzer {{seconds}} {{targets}}

# Measures the service against what this machine can do, and fills in docs/performance.md; --quick only shows that it runs.
bench *arguments:
    scripts/bench {{arguments}}

# Formatting, lints and docs, as CI wants them.
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Everything that CI runs.
ci:
    .ci/run
