"""The REST interface as clients meet it: routes, methods, errors, access, and the ways to listen."""
import base64
import contextlib
import http.client
import json
import os
import re
import socket
import sys

import pytest

from gateway import TIMEOUT, fetch, free_port, run, wait_until

ROUTES = {
    "/api/v1": "application/json",
    "/api/v1/meters": "application/json",
    "/api/v1/meters/main": "application/json",
    "/api/v1/meters/main/now": "application/json",
    "/api/v1/meters/main/now/power_w": "text/plain",
    "/api/v1/meters/main/datapoints": "application/json",
    "/api/v1/meters/main/diagnostics": "application/json",
    "/api/v1/meters/main/frames": "application/x-ndjson",
    "/api/v1/meters/main/frames?format=capture": "text/plain",
    "/api/v1/home-assistant.yaml": "application/yaml",
    "/metrics": "text/plain",
    "/healthz": "application/json",
    "/": "text/html",
}
YAML_TYPES = {"application/yaml", "text/yaml", "application/x-yaml", "text/plain"}


def raw_request(port, data):
    """Bytes as they are; returns the status, or None when the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(data)
            answer = s.recv(12)
            return int(answer.split()[1]) if answer else None


def is_problem(answer, status, parameter=None):
    assert answer.status == status, answer
    assert answer.content_type == "application/problem+json"
    body = answer.json
    assert body["status"] == status and body["title"] and body["detail"]
    assert body.get("parameter") == parameter
    return body


@pytest.fixture
def one_meter(start, meter):
    """A gateway whose only meter was never found."""
    return start([meter(profile="pj-mgw1103")])


@pytest.mark.parametrize("with_profile", [True, False], ids=["profile named", "product not known"])
def test_every_route_answers_before_any_meter_is_found(start, meter, with_profile):
    gateway = start([meter(profile="pj-mgw1103" if with_profile else None)])
    for path, kind in ROUTES.items():
        answer = gateway.get(path)
        assert answer.status == 200, (path, answer)
        assert answer.content_type == kind or (path.endswith(".yaml") and answer.content_type in YAML_TYPES), path
        if kind == "application/json":
            assert isinstance(answer.json, dict), path
    now = gateway.now()
    assert now["available"] is False and now["state"] == "connecting"
    assert now["at"] is None and now["age_s"] is None
    assert gateway.get("/api/v1/meters/main/now/power_w").text.strip() == "null"
    if with_profile:
        assert now["power_w"] is None and now["voltage_v"] is None
    assert 'metergate_meter_up{meter="main"} 0' in gateway.get("/metrics").text


def test_head_is_get_without_the_body(one_meter):
    one_meter.wait_history()    # both say the same of it
    for path in ROUTES:
        head, get = one_meter.get(path, "HEAD"), one_meter.get(path)
        assert head.status == 200 and head.body == b"", path
        assert head.content_type == get.content_type
        if path not in ("/api/v1", "/metrics", "/api/v1/meters/main/diagnostics"):
            assert head.headers["Content-Length"] == get.headers["Content-Length"], path


def test_options(one_meter):
    answer = one_meter.get("/api/v1/meters", "OPTIONS")
    assert answer.status in (200, 204)
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["Allow"].replace(",", " ").split())


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/v2", "/api/v1/meter", "/api/v1/meters/other",
                                  "/api/v1/meters/other/now", "/api/v1/meters/main/now/power_kw",
                                  "/api/v1/meters/main/nothing", "/../etc/passwd", "/%2e%2e/etc/passwd",
                                  "/index.html%00.css"])
def test_not_found(one_meter, path):
    answer = one_meter.get(path)
    assert answer.status in (400, 404) and answer.content_type == "application/problem+json", answer
    if "%00" not in path:
        is_problem(answer, 404)


def test_not_found_says_what_there_is(one_meter):
    assert "main" in is_problem(one_meter.get("/api/v1/meters/other"), 404)["detail"]
    assert "power_w" in is_problem(one_meter.get("/api/v1/meters/main/now/power_kw"), 404)["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_method_not_allowed(one_meter, method):
    answer = one_meter.get("/api/v1/meters", method)
    is_problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_unknown_query_parameter(one_meter):
    is_problem(one_meter.get("/api/v1/meters?limit=5"), 400, "limit")
    is_problem(one_meter.get("/api/v1/meters/main/now?x=1"), 400, "x")
    is_problem(one_meter.get("/api/v1/meters/main/frames?format=csv"), 400, "format")


def test_get_with_a_body_is_answered(one_meter):
    answer = one_meter.get("/api/v1/meters", body=b"x" * 1000)
    assert answer.status in (200, 400, 413)


def test_large_body_is_refused(one_meter):
    status = raw_request(one_meter.http_port, b"POST /api/v1/meters HTTP/1.1\r\nHost: localhost\r\n"
                            b"Content-Length: 100000000\r\n\r\n")
    assert status in (405, 413)
    assert one_meter.get("/healthz").status == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8730", "[::1]:8730", "192.168.1.20",
                                  socket.gethostname(), socket.gethostname() + ".local"])
def test_own_hosts_are_answered(one_meter, host):
    assert one_meter.get("/api/v1/meters", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "-", "",
                                  "127.0.0.1@evil.example"])
def test_other_hosts_are_refused(one_meter, host):
    answer = one_meter.get("/api/v1/meters", headers={"Host": host})
    assert answer.status in (400, 403, 421), answer
    assert "readings" not in answer.text


def test_host_of_the_configuration(start):
    gateway = start("[]", http="hosts: [meter.example]")
    assert gateway.get("/api/v1", headers={"Host": "meter.example"}).status == 200
    assert gateway.get("/api/v1", headers={"Host": "METER.example:8730"}).status == 200
    assert gateway.get("/api/v1", headers={"Host": "other.example"}).status in (400, 403, 421)


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
], ids=["no host", "two hosts", "bad escape", "absolute target", "two lengths", "unknown coding", "method",
        "long path", "long header", "TLS"])
def test_broken_requests_are_refused(one_meter, request_bytes):
    status = raw_request(one_meter.http_port, request_bytes)
    assert status is None or 400 <= status < 600 and status != 500, status
    assert one_meter.get("/healthz").status == 200


def test_connection_is_kept(one_meter):
    connection = http.client.HTTPConnection("127.0.0.1", one_meter.http_port, TIMEOUT)
    with contextlib.closing(connection):
        connection.connect()
        local = connection.sock.getsockname()
        for _ in range(3):
            connection.request("GET", "/api/v1/meters")
            response = connection.getresponse()
            assert response.status == 200 and response.read()
            assert connection.sock is not None and connection.sock.getsockname() == local


def test_many_clients_at_once(one_meter):
    sockets = [socket.create_connection(("127.0.0.1", one_meter.http_port), TIMEOUT) for _ in range(100)]
    try:
        for s in sockets:
            s.sendall(b"GET /api/v1/meters HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for s in sockets:
            assert s.recv(12) == b"HTTP/1.1 200"
    finally:
        for s in sockets:
            s.close()


def test_service_description(one_meter):
    about = one_meter.json("/api/v1")
    assert about["product"] == "metergate"
    assert "metergate " + about["version"] == run("--version").stdout.strip()
    one_meter.wait_history()
    for link in about["links"].values():
        # The stream's body has no end.
        assert one_meter.get(link, method="HEAD").status == 200, link


def test_health(start, meter, mcu):
    empty = start("[]")
    answer = empty.json("/healthz")
    assert (answer["meters"], answer["delivering"]) == (0, 0)
    gateway = start([meter()])
    gateway.wait_now(power_w=17.7)
    answer = gateway.json("/healthz")
    assert (answer["meters"], answer["delivering"]) == (1, 1)


def test_no_meters(start):
    gateway = start("[]")
    assert gateway.json("/api/v1/meters") == {"meters": []}
    assert gateway.get("/metrics").status == 200
    assert gateway.get("/api/v1/home-assistant.yaml").status == 200
    assert gateway.get("/").status == 200
    is_problem(gateway.get("/api/v1/meters/main"), 404)


def test_page_and_its_assets(one_meter):
    page = one_meter.get("/")
    assert "<title>" in page.text
    links = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assets = [a for a in links if "://" not in a and not a.startswith("data:")]
    kinds = {".js": {"text/javascript", "application/javascript"}, ".css": {"text/css"}, ".svg": {"image/svg+xml"}}
    assert any(a.endswith(".js") for a in assets)
    for asset in assets:
        answer = one_meter.get("/" + asset.lstrip("./"))
        assert answer.status == 200 and answer.body, asset
        for ending, types in kinds.items():
            if asset.endswith(ending):
                assert answer.content_type in types
    # Nothing from elsewhere: the page works without the Internet.
    for asset in ["", *assets]:
        text = one_meter.get("/" + asset.lstrip("./")).text
        assert not re.findall(r'(?:src|href|url\(|import |fetch\()\s*=?\s*["\']?https?://', text), asset


def test_home_assistant_package(one_meter):
    text = one_meter.get("/api/v1/home-assistant.yaml").text
    for word in ("rest:", "resource:", "/api/v1/meters/main/now", "unique_id", "device_class: power",
                 "unit_of_measurement", "value_template", "availability", "state_class: measurement"):
        assert word in text, text
    other = one_meter.get("/api/v1/home-assistant.yaml?url=http://192.168.1.20:8730&scan_interval=15").text
    assert "http://192.168.1.20:8730/api/v1/meters/main/now" in other
    assert "scan_interval: 15" in other
    is_problem(one_meter.get("/api/v1/home-assistant.yaml?scan_interval=fast"), 400, "scan_interval")


# access


READ, CONTROL = "r" * 24 + "-read", "c" * 24 + "-control"


@pytest.fixture
def guarded(start, meter, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("# who may do what\nread %s\ncontrol %s\n" % (READ, CONTROL))
    tokens.chmod(0o600)
    return start([meter(profile="pj-mgw1103")], http="access: token\ntokens: %s" % tokens)


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


GUARDED = [path for path in ROUTES if path not in ("/", "/healthz")]


def test_without_a_token(guarded):
    for path in GUARDED:
        answer = guarded.get(path)
        is_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), path
        assert "basic" not in answer.headers["WWW-Authenticate"].lower()


def test_with_a_token(guarded):
    for path in GUARDED:
        for value in ("Bearer " + READ, "bearer " + READ, "Bearer " + CONTROL, basic("anybody", READ), basic("", READ)):
            assert guarded.get(path, headers={"Authorization": value}).status == 200, (path, value)


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer", "Bearer " + READ[:-1], "Bearer " + READ + "x", READ,
                                   basic("u", "wrong"), "Basic !!!!", "Basic " + READ, "Digest x", "Bearer  ",
                                   basic(READ, "")])
def test_with_a_wrong_token(guarded, value):
    is_problem(guarded.get("/api/v1/meters", headers={"Authorization": value}), 401)


def test_health_and_page_need_no_token(guarded):
    for path in ("/", "/healthz", "/app.js", "/style.css"):
        assert guarded.get(path).status == 200, path


def test_unknown_paths_tell_nothing_without_a_token(guarded):
    assert guarded.get("/api/v1/meters/other").status == 401


def test_token_is_never_in_the_log(guarded):
    guarded.get("/api/v1/meters", headers={"Authorization": "Bearer " + READ})
    assert READ not in guarded.log() and CONTROL not in guarded.log()


@pytest.mark.parametrize("text", ["write secretsecretsecretsecret\n", "read\n", ""], ids=["role", "no secret", "empty"])
def test_bad_tokens_file_is_told(tmp_path, text, meter):
    tokens, path = tmp_path / "tokens", tmp_path / "metergate.yaml"
    tokens.write_text(text)
    tokens.chmod(0o600)
    path.write_text('http:\n  listen: ["127.0.0.1:%d"]\n  access: token\n  tokens: %s\nmeters: []\n'
                    % (free_port(), tokens))
    result = run("serve", "--config", path)
    assert result.returncode in (1, 2)
    assert "tokens" in result.stderr and "secretsecret" not in result.stderr


def test_missing_tokens_file_is_told(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text('http:\n  listen: ["127.0.0.1:%d"]\n  access: token\n  tokens: %s/none\nmeters: []\n'
                    % (free_port(), tmp_path))
    result = run("serve", "--config", path)
    assert result.returncode in (1, 2)
    assert "none" in result.stderr


# ways to listen


def test_unix_socket(start, meter, tmp_path):
    path = tmp_path / "api.sock"
    gateway = start([meter()], listen='["unix:%s"]' % path)
    gateway.unix = str(path)
    assert gateway.json("/healthz")["meters"] == 1
    assert gateway.now()["state"] == "connecting"


def test_unix_socket_left_behind_is_replaced(start, tmp_path):
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    gateway = start("[]", listen='["unix:%s"]' % path)
    gateway.unix = str(path)
    assert gateway.json("/healthz")["meters"] == 0


def test_unix_socket_beside_tcp(start, tmp_path):
    path, port = tmp_path / "api.sock", free_port()
    start("[]", listen='["127.0.0.1:%d", "unix:%s"]' % (port, path))
    assert fetch(port, "/healthz").status == 200
    assert fetch(None, "/healthz", unix=str(path)).status == 200


def test_ipv6(start):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    port = free_port()
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    start("[]", listen='["[::1]:%d"]' % port)
    with socket.create_connection(("::1", port), TIMEOUT) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: [::1]:%d\r\n\r\n" % port)
        assert s.recv(12) == b"HTTP/1.1 200"


LAUNCHER = ("import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3); os.set_inheritable(3, True); "
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execvp(sys.argv[2], sys.argv[2:])")


def test_socket_activation(start):
    """A socket from systemd wins over the configuration."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        fd, port = server.fileno(), server.getsockname()[1]
        gateway = start("[]", prefix=[sys.executable, "-c", LAUNCHER, str(fd)], pass_fds=(fd,))
        configured = gateway.http_port
        gateway.http_port = port
        assert gateway.json("/healthz")["meters"] == 0
        with pytest.raises(OSError):
            fetch(configured, "/healthz")
        # A reload does not lose it.
        gateway.http_port = configured
        gateway.reload([])
        wait_until(lambda: "reloaded" in gateway.log())
        gateway.http_port = port
        assert gateway.json("/healthz")["meters"] == 0


def test_socket_activation_with_a_unix_socket(start, tmp_path):
    path = tmp_path / "activated.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        fd = server.fileno()
        gateway = start("[]", prefix=[sys.executable, "-c", LAUNCHER, str(fd)], pass_fds=(fd,))
        gateway.unix = str(path)
        assert gateway.json("/healthz")["meters"] == 0
    assert os.path.exists(path)


def test_frames_are_json_lines(mcu, online):
    gateway = online()
    lines = [json.loads(line) for line in gateway.get("/api/v1/meters/main/frames").text.splitlines()]
    assert [line["direction"] for line in lines[:2]] == ["tx", "rx"]
    assert lines[0]["hex"] == "55AA00000000FF"


def test_frames_can_be_decoded_again(mcu, online, tmp_path):
    gateway = online()
    capture = tmp_path / "frames.hex"
    capture.write_bytes(gateway.get("/api/v1/meters/main/frames?format=capture").body)
    result = run("decode", "--protocol", "tuyamcu", capture)
    assert result.returncode == 0, result.stderr
    frames = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"power_w": 17.7} in [f.get("readings") for f in frames]
