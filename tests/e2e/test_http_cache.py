"""What is not sent again, what is compressed, and what is kept: ETag, If-None-Match, gzip, HEAD, as clients meet
them."""
import gzip
import socket
import subprocess

import pytest

from fake_mcu import NO_PROFILE
from gateway import TIMEOUT, wait_until

LOAD = {18: 1000, 19: 2300, 20: 2300, 101: 500000}

# Every GET that says the same until something happens; the dashboard's files are found in its page.
STEADY = [
    "/api/v1", "/api/v1/openapi.json", "/api/v1/meters", "/api/v1/meters/main", "/api/v1/meters/main/now",
    "/api/v1/meters/main/now/power_w",
    "/api/v1/meters/main/datapoints", "/api/v1/meters/main/diagnostics", "/api/v1/meters/main/frames",
    "/api/v1/meters/main/frames?format=capture", "/api/v1/events", "/api/v1/samples", "/api/v1/home-assistant.yaml",
    "/api/v1/meters/main/history?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z",
    "/api/v1/meters/main/history?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z&format=csv",
    "/api/v1/meters/main/energy?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z",
    "/healthz", "/", "/app.js", "/style.css", "/favicon.svg",
]
RESTLESS = ["/metrics", "/api/v1/diagnostics"]


@pytest.fixture
def quiet(mcu_at, start, meter):
    """A gateway whose meter has reported once and reports again only when it is told to: quiet.mcu.report(...)."""
    gateway = start([meter(profile="tomzn-60a", poll="5min", stale_after="10min")])
    gateway.mcu = mcu_at(values=LOAD, product=NO_PROFILE)
    gateway.wait_history()
    gateway.wait_now(state="online", power_w=230, voltage_v=230)
    return gateway


def steady_tag(gateway, path):
    """The tag once it stays: what the meter's first words cause may take a moment."""
    def stays():
        answers = [gateway.get(path) for _ in range(3)]
        assert {a.status for a in answers} == {200}, (path, answers)
        tags = {a.headers["ETag"] for a in answers}
        return len(tags) == 1 and tags.pop()
    return wait_until(stays, what="the tag of %s stays" % path)


def ask_again(gateway, path, tag, **headers):
    return gateway.get(path, headers={"If-None-Match": tag, **headers})


def test_every_route_has_a_tag_and_is_not_sent_twice(quiet):
    for path in STEADY:
        def is_unchanged():
            tag = steady_tag(quiet, path)
            assert tag.startswith('W/"') and tag.endswith('"') and len(tag) == 20, path
            return ask_again(quiet, path, tag)
        answer = wait_until(lambda: (lambda a: a.status == 304 and a)(is_unchanged()), what=path)
        assert answer.body == b"" and answer.headers["ETag"], path
        assert answer.headers["Cache-Control"] == "no-cache", path
        assert "Accept-Encoding" in answer.headers["Vary"], path
        assert ask_again(quiet, path, '"other", W/"0"').status == 200, path
        assert ask_again(quiet, path, "*").status == 304, path
    for path in RESTLESS:
        answer = ask_again(quiet, path, "*")
        assert answer.status == 200 and answer.headers["ETag"] is None, path
    assert ask_again(quiet, "/api/v1/meters/other", "*").status == 404


def test_ages_do_not_change_the_tag(quiet):
    for path in ("/api/v1/meters/main/now", "/api/v1/meters", "/api/v1/meters/main/diagnostics",
                 "/api/v1/meters/main/datapoints", "/api/v1"):
        steady_tag(quiet, path)
        first = [quiet.get(path)]

        def is_older():
            answer = quiet.get(path)
            if answer.headers["ETag"] != first[0].headers["ETag"]:
                first[0] = answer    # the meter has said something: a heartbeat, for one
            return answer.body != first[0].body and answer
        later = wait_until(is_older, what="%s grows older and keeps its tag" % path)
        wait_until(lambda: ask_again(quiet, path, quiet.get(path).headers["ETag"]).status == 304, what=path)
        assert later.headers["ETag"] == first[0].headers["ETag"], path


def test_a_new_value_changes_the_tag(quiet):
    paths = ["/api/v1/meters/main/now", "/api/v1/meters/main/now/power_w", "/api/v1/meters", "/api/v1/meters/main",
             "/api/v1/meters/main/datapoints", "/api/v1/samples"]
    tags = {path: steady_tag(quiet, path) for path in paths}
    quiet.mcu.report(dp19=4600)
    quiet.wait_now(power_w=460)
    wait_until(lambda: "460" in quiet.get("/api/v1/samples").text)
    for path, tag in tags.items():
        answer = ask_again(quiet, path, tag)
        assert answer.status == 200 and answer.headers["ETag"] != tag, path
        assert "460" in answer.text or "4600" in answer.text, path


def test_going_stale_changes_the_tag(start, meter, mcu):
    gateway = start([meter(stale_after="6s")])
    gateway.wait_now(state="online", power_w=17.7)
    tag = gateway.get("/api/v1/meters/main/now").headers["ETag"]
    mcu.silence(True)
    gateway.wait_now(power_w=None)
    answer = ask_again(gateway, "/api/v1/meters/main/now", tag)
    assert answer.status == 200 and answer.headers["ETag"] != tag
    assert ask_again(gateway, "/api/v1/meters/main/now/power_w", gateway.get(
        "/api/v1/meters/main/now/power_w").headers["ETag"]).status == 304


def test_the_past_keeps_its_tag_while_rows_are_added(quiet):
    """A row at a time: what lies before the newest is told already, what goes on behind it is not."""
    quiet.mcu.report(dp19=2400)
    quiet.wait_now(power_w=240)

    def rows():
        return quiet.json("/api/v1/samples")["samples"]
    newest = wait_until(lambda: [r for r in rows() if r.get("power_w") == 240])[-1]["at_ms"]
    query = "/api/v1/meters/main/history?series=voltage_v,power_w&step=100ms&from=%.1f&to=%.1f"
    past = query % (newest / 1000 - 5, newest / 1000)
    open_end = query % (newest / 1000 - 5, newest / 1000 + 60)
    past_tag, open_tag = steady_tag(quiet, past), quiet.get(open_end).headers["ETag"]
    quiet.mcu.report(dp19=2500)
    wait_until(lambda: any(r.get("power_w") == 250 for r in rows()))
    assert ask_again(quiet, past, past_tag).status == 304
    assert ask_again(quiet, open_end, open_tag).status == 200
    # Another question is another answer.
    for other in (past + "&agg=max", past + "&format=csv", past.replace("step=100ms", "step=raw"),
                  past.replace("voltage_v,", ""), query % (newest / 1000 - 4, newest / 1000)):
        assert ask_again(quiet, other, past_tag).status == 200, other


def test_events_change_their_tag(quiet):
    tag = steady_tag(quiet, "/api/v1/events")
    quiet.mcu.close()
    wait_until(lambda: ask_again(quiet, "/api/v1/events", tag).status == 200)


# gzip


def test_compressed_answers_are_the_same(quiet):
    compressed = 0
    for path in STEADY:
        def pair():
            plain, packed = quiet.get(path), quiet.get(path, headers={"Accept-Encoding": "gzip"})
            assert plain.headers["Content-Encoding"] is None
            if packed.headers["Content-Encoding"] is None:
                assert len(packed.body) < 1024, path
                text = packed.body
            else:
                assert packed.headers["Content-Encoding"] == "gzip"
                text = gzip.decompress(packed.body)
            # What counts the seconds may differ between two requests.
            return text == plain.body and (plain, packed)
        plain, packed = wait_until(pair, what=path)
        assert plain.headers["ETag"] == packed.headers["ETag"], path
        assert "Accept-Encoding" in plain.headers["Vary"] and "Accept-Encoding" in packed.headers["Vary"], path
        if packed.headers["Content-Encoding"]:
            compressed += 1
            assert len(packed.body) < len(plain.body) or not plain.headers["Content-Length"], path
    assert compressed > 5
    packed = quiet.get("/metrics", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert b"metergate_meter_up" in gzip.decompress(packed.body)


def test_who_does_not_want_gzip_does_not_get_it(quiet):
    for value in ("identity", "gzip;q=0", "br", "*;q=0", ""):
        for path in ("/metrics", "/", "/api/v1", "/api/v1/samples"):
            assert quiet.get(path, headers={"Accept-Encoding": value}).headers["Content-Encoding"] is None, value


def test_long_answers_are_compressed_as_they_are_made(demo_like):
    gateway, path = demo_like
    plain = gateway.get(path)
    packed = gateway.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Transfer-Encoding"] == "chunked"
    assert gzip.decompress(packed.body) == plain.body
    assert len(plain.body) > 100000 and len(packed.body) < len(plain.body) / 3


@pytest.fixture
def demo_like(start, meter, tmp_path):
    """A gateway with a long past, which was imported."""
    import gateway as gateways
    table = tmp_path / "past.csv"
    begin = 1700000000000
    table.write_text("t_ms,power_w,voltage_v\n" + "".join(
        "%d,%d.%d,%d.%d\n" % (begin + i * 10000, 200 + i % 1700, i % 10, 228 + i % 5, i * 7 % 10) for i in range(9000)))
    history = tmp_path / "gateway0.history"
    history.mkdir()
    result = gateways.run("history", "import", "--directory", history, "--meter", "main", table)
    assert result.returncode == 0, result.stderr
    gateway = start([meter(profile="pj-mgw1103")])
    gateway.wait_history()
    path = "/api/v1/meters/main/history?step=raw&limit=11000&from=%d&to=%d" % (begin / 1000, begin / 1000 + 90000)
    return gateway, path


# HEAD, connections, other origins


def test_head_has_the_headers_of_get(quiet):
    names = ("Content-Length", "Content-Encoding", "ETag", "Vary", "Cache-Control", "Content-Type",
             "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy", "Content-Security-Policy")
    for path in STEADY:
        for headers in ({}, {"Accept-Encoding": "gzip"}):
            def same():
                head, get = quiet.get(path, "HEAD", headers), quiet.get(path, "GET", headers)
                assert head.status == get.status == 200 and head.body == b"", path
                return all(head.headers[n] == get.headers[n] for n in names)
            wait_until(same, what="HEAD of %s is as GET" % path)


def raw_answers(port, requests, count):
    """The heads of count answers without bodies."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as s:
        s.sendall(requests)
        data = b""
        while data.count(b"\r\n\r\n") < count:
            piece = s.recv(65536)
            assert piece, data
            data += piece
        assert data.endswith(b"\r\n\r\n")
        return data.decode().split("\r\n\r\n")[:-1]


@pytest.mark.parametrize("path", ["/api/v1/meters/main/now", "/", "/api/v1/events", "/api/v1/samples"])
def test_304s_on_one_connection(quiet, path):
    """Nothing of a body may follow, or the next answer could not be told from it."""
    assert quiet.get(path).status == 200
    heads = raw_answers(quiet.http_port, (b"GET %s HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n"
                                          % path.encode()) * 20, 20)
    assert all(h.startswith("HTTP/1.1 304 ") for h in heads)
    assert not any("connection: close" in h.lower() for h in heads)


def test_curl_keeps_what_it_has(quiet, tmp_path):
    """A client that was not written for us: curl's --etag-save and --etag-compare."""
    url = "http://127.0.0.1:%d/api/v1/meters/main/now/power_w" % quiet.http_port
    etag, body = tmp_path / "etag", tmp_path / "body"

    def curl(*args):
        return subprocess.run(["curl", "-sS", "--compressed", "-w", "%{http_code}", "-o", body, *args, url],
                              capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    assert curl("--etag-save", etag) == "200" and body.read_text() == "230"
    assert curl("--etag-compare", etag) == "304"
    quiet.mcu.report(dp19=4600)
    quiet.wait_now(power_w=460)
    assert curl("--etag-compare", etag) == "200" and body.read_text() == "460"


def test_pages_of_other_origins_see_the_tag(start, meter):
    gateway = start([meter(profile="pj-mgw1103")], http="cors_origins: [http://panel.example]")
    headers = {"Origin": "http://panel.example"}
    answer = gateway.get("/api/v1/meters", headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://panel.example"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"] and "Accept-Encoding" in answer.headers["Vary"]
    again = ask_again(gateway, "/api/v1/meters", "*", **headers)
    assert again.status == 304 and again.headers["Access-Control-Allow-Origin"] == "http://panel.example"
    # Somebody who asks the same at the same time, from elsewhere.
    for other in ({}, {"Origin": "http://evil.example"}):
        assert gateway.get("/api/v1/meters", headers=other).headers["Access-Control-Allow-Origin"] is None
    preflight = gateway.get("/api/v1/meters", "OPTIONS", {**headers, "Access-Control-Request-Method": "GET",
                                                          "Access-Control-Request-Headers": "If-None-Match"})
    assert "If-None-Match" in preflight.headers["Access-Control-Allow-Headers"]
    assert "http://panel.example" in gateway.get("/").headers["Content-Security-Policy"].split("frame-ancestors")[1]


# kept answers


def test_kept_answers_follow_the_configuration(start, meter):
    gateway = start([meter(name="before")])
    assert gateway.now()["name"] == "before"
    gateway.reload([meter(name="after")])
    wait_until(lambda: "reloaded" in gateway.log())
    assert gateway.now()["name"] == "after"
    assert 'name="after"' in gateway.get("/metrics").text


def test_kept_answers_are_used(quiet):
    def used():
        before = quiet.json("/api/v1/diagnostics")["http"]["cache"]["hits"]
        for _ in range(10):
            quiet.now()
        return quiet.json("/api/v1/diagnostics")["http"]["cache"]["hits"] > before
    wait_until(used)


def test_addresses_in_an_answer_are_those_of_the_request(quiet):
    """The package names the address that it was fetched by."""
    for host in ("127.0.0.1", "localhost", "127.0.0.1"):
        text = quiet.get("/api/v1/home-assistant.yaml", headers={"Host": "%s:%d" % (host, quiet.http_port)}).text
        assert "http://%s:%d/api/v1" % (host, quiet.http_port) in text


def test_secrets_are_not_stored(start, meter, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("control %s\n" % ("c" * 30))
    tokens.chmod(0o600)
    gateway = start([meter(profile="pj-mgw1103")], http="access: token\ntokens: %s" % tokens)
    answer = gateway.get("/api/v1/meters/main/diagnostics?secrets=show",
                         headers={"Authorization": "Bearer " + "c" * 30, "If-None-Match": "*"})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["ETag"] is None


def test_limits_are_shown(quiet):
    diagnostics = quiet.json("/api/v1/diagnostics")
    limits = diagnostics["limits"]
    assert all(isinstance(v, int) and v >= 0 for v in limits.values())
    assert limits["history_points"] == 11000 and limits["connections"] >= diagnostics["http"]["connections"] >= 1
    # They are what they say.
    assert quiet.get("/api/v1?" + "x" * (limits["target_bytes"] - 10)).status == 400
    assert quiet.get("/api/v1?" + "x" * limits["target_bytes"]).status == 414
