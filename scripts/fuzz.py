#!/usr/bin/env python3
"""Starts the service on a throwaway folder, signs accounts in, and lets Schemathesis loose on it.

Every operation gets the credentials that its description asks for, and each credential is of an account of its own, so
that what ends one leaves the others alone. What ends the credential that it is called with comes last. Whatever
Schemathesis finds fails the run, and so does a warning that it could not do its work, or a credential that is no longer
good after a stage that was to leave it alone.

Run by scripts/schemathesis, with the Python that Schemathesis is installed for.
"""

import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TARGET = pathlib.Path(__file__).resolve().parent.parent / "target"
BASE = "/api/auth/v2"
# What is left behind for whoever looks into a failure.
REPORT = TARGET / "schemathesis-report"

SEED = os.environ.get("SCHEMATHESIS_SEED", "20261124")
# Of each operation, in each stage that it is part of; at least 50, or it proves little.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "100")
# Seconds, for anything that is waited for and for all stages together; these take a minute and a half.
PATIENCE = 20
DONE_WITHIN = int(os.environ.get("SCHEMATHESIS_SECONDS", "600"))

# Operations that may end the credential they are called with.
CLOSING = ["closeSession", "closeOtherSessions", "deleteKeyPair"]
ENDING = [*CLOSING, "deleteAccount"]
# Operations of administrators that may end the credential of anybody whose ids they have seen.
TAKING = [
    "adminDeleteUser",
    "adminDisableUser",
    "adminUnverifyUser",
    "adminRevokeRole",
    "adminCloseSession",
    "adminDeleteKeyPair",
]
# What shows them the ids of accounts, sessions and key pairs that were made for them to end, and of nothing else.
MAKING = ["adminCreateUser", "adminGrantRole", "adminOpenSession", "adminCreateKeyPair"]


@dataclasses.dataclass
class Stage:
    """One run of Schemathesis: these options choose operations, and these credentials are sent, by security scheme."""

    name: str
    options: list
    credentials: dict
    # What one operation answers is sent to another one.
    chained: bool = False
    # The credentials are good afterwards as well.
    sparing: bool = True


def stages(service):
    """All of them, in order. A further kind of caller is a further account and a further stage."""
    ada, bob, eve = bearer_of(service, "ada"), key_pair_of(service, "bob"), bearer_of(service, "eve")
    root, machine = bearer_of(service, "root"), key_pair_of(service, "machine")
    for alias in ("root", "machine"):
        service.administer("grant", f"{alias}@example.org", "users_admin")
    described = service.get("/openapi.json")
    administering = tagged(described, "Administration")
    either = [name for name in taking_either(described) if name not in [*ENDING, *administering]]
    giving = [name for name in administering if name not in TAKING]
    return [
        Stage("all that leaves its credential alone", without([*ENDING, *administering]), ada | bob, chained=True),
        Stage("what takes either credential, with the key pair", only(either), bob),
        Stage(
            "what closes sessions and deletes key pairs, and makes some to be closed and deleted",
            only([*CLOSING, "checkSession", "createKeyPair"]),
            eve,
            chained=True,
            sparing=False,
        ),
        Stage("administration that takes nothing away, with the bearer", only(giving), root, chained=True),
        Stage("administration that takes nothing away, with the key pair", only(giving), machine),
        Stage("administration that takes away what it has made", only([*TAKING, *MAKING]), root, chained=True),
        Stage("deleting the account, with the bearer", only(["deleteAccount"]), ada, sparing=False),
        Stage("deleting the account, with the key pair", only(["deleteAccount"]), bob, sparing=False),
    ]


def only(operations):
    return [option for name in operations for option in ("--include-operation-id", name)]


def without(operations):
    return [option for name in operations for option in ("--exclude-operation-id", name)]


def taking_either(described):
    """The names of the operations that take a bearer as well as a key pair."""
    wanted = [{"bearer"}, {"apiKey", "apiSecret"}]
    return [
        operation["operationId"]
        for operation in operations(described)
        if all(kind in [set(kinds) for kinds in operation.get("security", [])] for kind in wanted)
    ]


def tagged(described, tag):
    """The names of the operations with this tag."""
    return [operation["operationId"] for operation in operations(described) if tag in operation.get("tags", [])]


def operations(described):
    return [operation for item in described["paths"].values() for operation in item.values()]


class Service:
    """The running service: its folder, its address, its log."""

    def __init__(self, folder, binary):
        self.folder = folder
        self.log = folder / "service.log"
        self.binary = binary
        self.environment = {
            "AUTH__HTTP__BIND": "127.0.0.1:0",
            "AUTH__LIMITS__ENABLED": "false",
            "AUTH__LOG__FORMAT": "json",
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary], cwd=folder, env=self.environment, stderr=log)

    def start(self):
        self.address = until(self.listening, "the service does not say where it listens")

    def listening(self):
        if self.process.poll() is not None:
            sys.exit(f"the service ended: {self.log.read_text()}")
        for line in self.log.read_text().splitlines():
            event = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            if event.get("message") == "listening":
                return event["address"]
        return None

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def administer(self, *words):
        """Runs `auth-http admin` beside the service."""
        command = [self.binary, "admin", *words]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, timeout=PATIENCE)

    def get(self, path):
        """The JSON at a path outside of the API."""
        return self.fetch("GET", path, None, {})

    def call(self, method, path, body=None, headers=None):
        """The answer to a request of the API."""
        payload = None if body is None else json.dumps(body)
        return self.fetch(method, BASE + path, payload, {"Content-Type": "application/json", **(headers or {})})

    def passes(self, headers):
        """Whether a gateway would let a request with these headers pass."""
        status, _ = self.exchange("GET", f"{BASE}/authorize", None, headers)
        return status == 200

    def fetch(self, method, path, payload, headers):
        """The JSON in the answer, which has to be one of success."""
        status, text = self.exchange(method, path, payload, headers)
        if status not in (200, 202):
            sys.exit(f"{method} {path} is answered {status}: {text}")
        return json.loads(text)

    def exchange(self, method, path, payload, headers):
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        connection.request(method, path, payload, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def code(self, address, after=0):
        """The code in the mail to this address, once more than `after` have arrived."""

        def arrived():
            mails = [mail.read_text() for mail in sorted((self.folder / "data/outbox").glob("*.eml"))]
            codes = [
                re.search(r"^Subject: .*?(\d{6})", mail, re.MULTILINE)
                for mail in mails
                if re.search(rf"^To: .*{re.escape(address)}", mail, re.MULTILINE)
            ]
            codes = [found.group(1) for found in codes if found]
            return codes[-1] if len(codes) > after else None

        return until(arrived, f"no mail to {address}")


def until(found, complaint):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.05)
    sys.exit(complaint)


def verified_session(service, alias):
    """A session of a new account, and the header that it is used with."""
    address = f"{alias}@example.org"
    opened = service.call("POST", "/user", {"email": address, "fullName": alias.title(), "alias": alias})
    code = {"verificationCodeID": opened["verificationCodeID"], "code": service.code(address)}
    service.call("PUT", "/session/verification", code)
    return opened, {"Authorization": f"Bearer {opened['bearer']}"}


def bearer_of(service, alias):
    """A new account's bearer, as what the security scheme takes."""
    session, _ = verified_session(service, alias)
    return {"bearer": {"bearer": session["bearer"]}}


def key_pair_of(service, alias):
    """A new account's key pair, as what the security schemes take."""
    _, signed = verified_session(service, alias)
    pair = service.call("POST", "/keypair", {"name": "fuzzing", "days": 1}, signed)
    code = {"verificationCodeID": pair["verificationCodeID"], "code": service.code(f"{alias}@example.org", after=1)}
    service.call("PUT", "/keypair/verification", code, signed)
    return {"apiKey": {"api_key": pair["apiKey"]}, "apiSecret": {"api_key": pair["apiSecret"]}}


def configuration(credentials):
    """What Schemathesis is told in its file: the command line would show secrets to every user of the machine."""
    lines = [
        "[warnings]",
        # A test that was not the one meant; the others tell of codes that nobody can guess.
        'fail-on = ["unused_openapi_auth", "unmatched_filter", "unsupported_regex", "method_not_allowed",'
        ' "unresolvable_reference", "missing_deserializer"]',
    ]
    for scheme, values in credentials.items():
        lines.append(f"[auth.openapi.{scheme}]")
        lines.extend(f"{name} = {json.dumps(value)}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def are_good(credentials, service):
    """Whether the service takes each kind of these credentials by itself."""
    kinds = [{"Authorization": f"Bearer {credentials['bearer']['bearer']}"}] if "bearer" in credentials else []
    if "apiKey" in credentials:
        secrets = {"api-key": credentials["apiKey"]["api_key"], "api-secret": credentials["apiSecret"]["api_key"]}
        kinds.append(secrets)
    return all(service.passes(headers) for headers in kinds)


def passes(stage, service, deadline):
    """Whether Schemathesis, with all of its checks, is done by `deadline` and finds nothing."""
    print(f"\n-- {stage.name} (seed {SEED}, {EXAMPLES} examples)", flush=True)
    settings = service.folder / "schemathesis.toml"
    settings.touch(mode=0o600)
    settings.write_text(configuration(stage.credentials))
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [tool, "--config-file", settings, "run", f"http://{service.address}/openapi.json"]
    command += ["--checks", "all", "--max-examples", EXAMPLES, "--seed", SEED, "--continue-on-failure", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing" + (",stateful" if stage.chained else "")]
    command += ["--generation-database", "none", *stage.options]
    try:
        left = max(1, deadline - time.monotonic())
        found_nothing = subprocess.run(command, cwd=service.folder, timeout=left, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"not done within {DONE_WITHIN} seconds")
        return False
    spared = not stage.sparing or are_good(stage.credentials, service)
    if not spared:
        print("a credential that was to be left alone is no longer good")
    return found_nothing and spared


def main(binary):
    # So that the service ends and its folder goes, also when this is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    shutil.rmtree(REPORT, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="schemathesis-") as folder:
        service = Service(pathlib.Path(folder), binary)
        failed = ["before the first stage"]
        try:
            service.start()
            deadline = time.monotonic() + DONE_WITHIN
            failed = [stage.name for stage in stages(service) if not passes(stage, service, deadline)]
        finally:
            service.end()
            if failed:
                REPORT.mkdir(parents=True)
                shutil.copy(service.log, REPORT)
    if failed:
        sys.exit(f"schemathesis: failed: {'; '.join(failed)} (the service's log is in {REPORT})")


if __name__ == "__main__":
    main(sys.argv[1])
