"""Who may do what: tokens and where they come from, guesses, pages of other sites, addresses that others reach."""
import base64
import os
import re
import signal
import socket
import sys

import pytest

from gateway import TIMEOUT, fetch, free_port, run, wait_until

READ, CONTROL, NEW = "r" * 24 + "-read", "c" * 24 + "-control", "n" * 24 + "-new"
LAUNCHER = ("import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); os.set_inheritable(3, True); "
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execvp(sys.argv[2], sys.argv[2:])")


def bearer(secret):
    return {"Authorization": "Bearer " + secret}


def metric(gateway, name, headers=None):
    text = gateway.get("/metrics", headers=headers).text
    return int(re.search(r"^%s (\d+)$" % name, text, re.MULTILINE).group(1))


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("read %s\ncontrol %s\n" % (READ, CONTROL))
    path.chmod(0o640)
    return path


@pytest.fixture
def guarded(start, meter, tokens):
    return start([meter(profile="pj-mgw1103")], http="access: token\ntokens: %s" % tokens)


# the file


def test_tokens_are_read_again(guarded, tokens):
    assert guarded.get("/api/v1", headers=bearer(NEW)).status == 401
    tokens.write_text("read %s\n" % NEW)
    guarded.signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in guarded.log())
    assert guarded.get("/api/v1", headers=bearer(NEW)).status == 200
    assert guarded.get("/api/v1", headers=bearer(READ)).status == 401


def test_a_bad_tokens_file_changes_nothing(start, tokens):
    gateway = start("[]", http="access: token\ntokens: %s" % tokens, may_log_errors=True)
    for number, text in enumerate(("red %s\n" % NEW, "", "read %s\nread\n" % NEW), 1):
        tokens.write_text(text)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: gateway.log().count("old configuration stays") == number)
        line = [line for line in gateway.log_lines() if "old configuration stays" in line][-1]
        assert "%s:%d" % (tokens, max(1, text.count("\n"))) in line
        assert gateway.get("/api/v1", headers=bearer(READ)).status == 200
        assert gateway.get("/api/v1", headers=bearer(NEW)).status == 401
    assert NEW not in gateway.log()


def test_a_file_that_everybody_may_read_is_told(start, tokens):
    tokens.chmod(0o644)
    gateway = start("[]", http="access: token\ntokens: %s" % tokens)
    gateway.wait_log("<4>", str(tokens), "can be read by every user")
    tokens.chmod(0o640)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log())
    assert gateway.log().count("can be read by every user") == 1


def test_check_config_reads_the_tokens(tmp_path, tokens):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  access: token\n  tokens: tokens\nmeters: []\n")
    result = run("check-config", path)
    assert result.returncode == 0 and result.stderr == "", result
    tokens.write_text("read\n")
    result = run("check-config", path)
    assert result.returncode == 2 and "tokens:1:" in result.stderr and result.stdout == ""


# credentials


def test_tokens_from_systemd(start, tmp_path, tokens):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    os.replace(tokens, credentials / "metergate-tokens")
    gateway = start("[]", http="access: token\ntokens: credential:metergate-tokens",
                    env={"CREDENTIALS_DIRECTORY": str(credentials)})
    assert gateway.get("/api/v1").status == 401
    assert gateway.get("/api/v1", headers=bearer(READ)).status == 200


def test_tokens_that_systemd_did_not_hand_over(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  listen: ['127.0.0.1:%d']\n  access: token\n  tokens: credential:tokens\nmeters: []\n"
                    % free_port())
    result = run("serve", "--config", path)
    assert result.returncode == 1
    assert "LoadCredential=tokens:" in result.stderr
    # Only the service can have them; whoever checks the file is not told that it is wrong.
    result = run("check-config", path)
    assert result.returncode == 0 and result.stderr == ""
    assert "not checked" in result.stdout


# guesses


def test_wrong_tokens_are_counted_and_told_once(guarded):
    for i in range(30):
        answer = guarded.get("/api/v1", headers=bearer("guess%d" % i))
        assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
        assert guarded.get("/api/v1").status == 401
    assert metric(guarded, "metergate_http_auth_failures_total", bearer(READ)) == 30
    assert metric(guarded, "metergate_http_auth_refusals_total", bearer(READ)) == 0
    lines = [line for line in guarded.log_lines() if "has a token" in line or "wrong tokens" in line]
    assert len(lines) == 1 and "this machine" in lines[0], lines
    assert "guess" not in guarded.log()


def test_this_machine_is_never_locked_out(guarded):
    """All clients of a reverse proxy come from here."""
    for i in range(30):
        guarded.get("/api/v1", headers=bearer("guess%d" % i))
        assert guarded.get("/api/v1", headers=bearer(READ)).status == 200


def own_address():
    """One of this machine's that is not loopback; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no address but loopback here")
        return s.getsockname()[0]


def test_others_are_slowed(start, tokens):
    address, port = own_address(), free_port()
    gateway = start("[]", http="access: token\ntokens: %s" % tokens,
                    listen='["%s:%d", "127.0.0.1:%d"]' % (address, port, port))

    def ask(headers):
        with socket.create_connection((address, port), TIMEOUT) as s:
            lines = "".join("%s: %s\r\n" % item for item in headers.items())
            s.sendall(("GET /api/v1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" % (address, lines)).encode())
            return s.makefile("rb").read().decode()

    answers = [ask(bearer("guess%d" % i)) for i in range(40)]
    assert all(a.startswith("HTTP/1.1 401") for a in answers[:10])
    slowed = [a for a in answers if a.startswith("HTTP/1.1 429")]
    assert len(slowed) >= 20 and re.search(r"Retry-After: [1-9]\d*\r\n", slowed[0])
    # Not even the right one is looked at now; without one nothing is slowed, and neither is anybody else.
    if ask(bearer("one more")).startswith("HTTP/1.1 429"):
        assert ask(bearer(READ)).startswith(("HTTP/1.1 429", "HTTP/1.1 200"))
    assert ask({}).startswith("HTTP/1.1 401")
    gateway.http_port = port
    assert gateway.get("/api/v1", headers=bearer(READ)).status == 200
    assert metric(gateway, "metergate_http_auth_refusals_total", bearer(READ)) >= len(slowed)
    lines = [line for line in gateway.log_lines() if "has a token" in line or "wrong tokens" in line]
    assert 1 <= len(lines) <= 2 and all(address in line for line in lines), lines


# roles


def test_roles(guarded, start, tokens):
    path = "/api/v1/meters/main/actions/query"
    assert guarded.get(path, "POST").status == 401
    assert guarded.get(path, "POST", headers=bearer(READ)).status == 403
    assert guarded.get(path, "POST", headers=bearer(CONTROL)).status not in (401, 403)
    diagnostics = "/api/v1/meters/main/diagnostics?secrets=show"
    assert guarded.get(diagnostics, headers=bearer(READ)).status == 403
    assert guarded.get(diagnostics, headers=bearer(CONTROL)).status == 200


def test_open_access_with_tokens(start, meter, tokens):
    gateway = start([meter(profile="pj-mgw1103")], http="access: open\ntokens: %s" % tokens)
    diagnostics = "/api/v1/meters/main/diagnostics?secrets=show"
    assert gateway.get("/api/v1").status == 200
    assert gateway.get(diagnostics).status == 403
    assert gateway.get(diagnostics, headers=bearer("wrong")).status == 403
    assert gateway.get(diagnostics, headers=bearer(CONTROL)).status == 200
    assert metric(gateway, "metergate_http_auth_failures_total") == 1


def test_public_paths_do_not_look_at_tokens(guarded):
    for path in ("/", "/healthz", "/app.js"):
        assert guarded.get(path, headers=bearer("wrong")).status == 200, path
    assert metric(guarded, "metergate_http_auth_failures_total", bearer(READ)) == 0


# pages of other sites


FORM = {"Content-Type": "text/plain"}
POSTS = {
    "from elsewhere": ({"Origin": "https://evil.example", **FORM}, False),
    "from a file": ({"Origin": "null", **FORM}, False),
    "from a lookalike": ({"Origin": "http://127.0.0.1.evil.example", **FORM}, False),
    "from another port": ({"Origin": "http://127.0.0.1:1", **FORM}, False),
    "cross-site without Origin": ({"Sec-Fetch-Site": "cross-site", **FORM}, False),
    "same-site without Origin": ({"Sec-Fetch-Site": "same-site", **FORM}, False),
    "Origin forged by a proxy": ({"Origin": "http://HOST", "Sec-Fetch-Site": "cross-site"}, False),
    "own page": ({"Origin": "http://HOST", "Sec-Fetch-Site": "same-origin"}, True),
    "own page, old browser": ({"Origin": "http://HOST"}, True),
    "typed by the user": ({"Sec-Fetch-Site": "none"}, True),
    "a program": ({}, True),
    "configured origin": ({"Origin": "https://panel.example", "Sec-Fetch-Site": "cross-site"}, True),
}


@pytest.mark.parametrize("name", POSTS)
def test_posts(start, meter, tokens, name):
    headers, allowed = POSTS[name]
    gateway = start([meter(profile="pj-mgw1103")],
                    http="access: token\ntokens: %s\ncors_origins: ['https://panel.example']" % tokens)
    headers = {k: v.replace("HOST", "127.0.0.1:%d" % gateway.http_port) for k, v in headers.items()}
    answer = gateway.get("/api/v1/meters/main/actions/query", "POST", headers={**headers, **bearer(CONTROL)})
    assert (answer.status != 403) == allowed, answer
    if not allowed:
        assert "cors_origins" in answer.json["detail"]


def test_get_answers_are_not_for_other_sites(guarded):
    answer = guarded.get("/api/v1", headers={"Origin": "https://evil.example", **bearer(READ)})
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_rebound_names_are_refused_before_anything_else(guarded):
    for path in ("/", "/healthz", "/api/v1", "/nowhere"):
        answer = guarded.get(path, headers={"Host": "rebound.example", **bearer(READ)})
        assert answer.status == 421, path


# beyond this machine


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "[fe80::1]:1",
                                     "[::ffff:192.0.2.1]:1", "[::ffff:0.0.0.0]:1", "128.0.0.1:1"])
def test_access_has_to_be_stated(tmp_path, address):
    path = tmp_path / "metergate.yaml"
    text = "http:\n  listen: ['%s']\n%smeters: []\n"
    path.write_text(text % (address, ""))
    for arguments in (["check-config", path], ["serve", "--config", path]):
        result = run(*arguments)
        assert result.returncode == 2 and "http.access is missing" in result.stderr, result
    path.write_text(text % (address, "  access: open\n"))
    assert run("check-config", path).returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.255.255.255:1", "[::1]:1", "localhost:1", "unix:/run/x",
                                     "[::ffff:127.0.0.1]:1"])
def test_this_machine_needs_no_statement(tmp_path, address):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  listen: ['%s']\nmeters: []\n" % address)
    assert run("check-config", path).returncode == 0


@pytest.mark.parametrize("name", ["house.example:1", "localhost.example:1", "*:1", ":1", "1", "0:1", "0x7f.1:1"])
def test_names_are_no_addresses(tmp_path, name):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  listen: ['%s']\n  access: open\nmeters: []\n" % name)
    result = run("check-config", path)
    assert result.returncode == 2 and "not an address" in result.stderr


def test_a_socket_from_systemd_that_others_reach(start, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as server:
        fd, port = server.fileno(), server.getsockname()[1]
        prefix = [sys.executable, "-c", LAUNCHER, str(fd)]
        refused = start("[]", prefix=prefix, pass_fds=(fd,), ready=False, may_log_errors=True)
        assert refused.wait() == 1
        refused.wait_log("0.0.0.0:%d" % port, "http.access is missing")
        refused.stopped = True
        refused.notify.close()
        gateway = start("[]", http="access: open", prefix=prefix, pass_fds=(fd,), may_log_errors=True)
        assert fetch(port, "/healthz").status == 200
        # The statement cannot be taken back while the socket is there.
        gateway.http_extra = ""
        gateway.reload([])
        gateway.wait_log("http.access is missing", "old configuration stays")
        assert fetch(port, "/healthz").status == 200


def test_basic_has_the_same_rights(guarded):
    def basic(text):
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    path = "/api/v1/meters/main/actions/query"
    assert guarded.get(path, "POST", headers=basic("x:" + READ)).status == 403
    assert guarded.get(path, "POST", headers=basic("x:" + CONTROL)).status not in (401, 403)
    assert guarded.get("/api/v1", headers=basic("x:wrong")).status == 401
    assert metric(guarded, "metergate_http_auth_failures_total", bearer(READ)) == 1
