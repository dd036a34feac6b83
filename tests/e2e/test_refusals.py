"""Requests that are wrong in one way or another: each is told what is wrong, and with which parameter."""
import json

import pytest

from gateway import Gateway, fetch, run, wait_until

HISTORY, ENERGY = "/api/v1/meters/main/history", "/api/v1/meters/main/energy"
HOME_ASSISTANT = "/api/v1/home-assistant.yaml"
QUERY = "/api/v1/meters/main/actions/query"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One gateway for all of them: nothing here changes anything."""
    folder = tmp_path_factory.mktemp("refusals")
    (folder / "tokens").write_text("control control-secret\n")
    meter = {"id": "main", "protocol": "tuyamcu", "port": folder / "main", "profile": "pj-mgw1103"}
    gateway = Gateway(folder, [meter], http="access: open\ntokens: %s" % (folder / "tokens"))
    gateway.wait_history()
    yield gateway
    gateway.stop()


def is_problem(answer, status, parameter=None, words=""):
    assert answer.status == status, answer
    assert answer.content_type == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status and problem["title"] and words in problem["detail"], problem
    assert problem.get("parameter") == parameter, problem


@pytest.mark.parametrize("target, parameter, words", [
    ("/api/v1/meters?x=1", "x", "unknown query parameter"),
    ("/api/v1/meters?%78=1", "x", "unknown query parameter"),
    ("/api/v1/samples?Limit=1", "Limit", "unknown query parameter"),
    ("/api/v1/samples?=1", "", "unknown query parameter"),
    ("/api/v1/samples?limit=1&limit=1", "limit", "given more than once"),
    ("/api/v1/samples?limit=1&%6cimit=2", "limit", "given more than once"),
    ("/api/v1/samples?limit", "limit", "limit: expected a whole number from 1 to 11000"),
    ("/api/v1/samples?limit=", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=0", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=11001", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=-1", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=%2b1", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=1.5", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=1e3", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=0x10", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=1%0a", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=99999999999999999999999999", "limit", "from 1 to 11000"),
    ("/api/v1/samples?limit=%zz", "limit", "broken % escape"),
    ("/api/v1/samples?limit=%0", "limit", "broken % escape"),
    ("/api/v1/samples?limit=%00", "limit", "broken % escape"),
    ("/api/v1/samples?%zz=1", None, "broken % escape"),
    ("/api/v1/samples?" + "&".join("a%d" % i for i in range(17)), None, "more than 16"),
    ("/api/v1/samples?after=", "after", "a cursor as an earlier answer gave it"),
    ("/api/v1/samples?after=-1", "after", "a cursor"),
    ("/api/v1/samples?after=9223372036854775808", "after", "a cursor"),
    ("/api/v1/events?limit=1001", "limit", "from 1 to 1000"),
    ("/api/v1/events?after=x", "after", "a cursor"),
    (HISTORY + "?from=yesterday", "from", "RFC 3339"),
    (HISTORY + "?from=", "from", "RFC 3339"),
    (HISTORY + "?to=2026-11-21", "to", "RFC 3339"),
    (HISTORY + "?to=99999999999", "to", "RFC 3339"),
    (HISTORY + "?from=now&to=-1h", "from", "before to"),
    (HISTORY + "?step=", "step", "auto, raw or a duration from 100ms to 366d"),
    (HISTORY + "?step=0s", "step", "from 100ms to 366d"),
    (HISTORY + "?step=150ms", "step", "a multiple of 100ms"),
    (HISTORY + "?step=367d", "step", "from 100ms to 366d"),
    (HISTORY + "?agg=mean", "agg", "avg, min, max, first, last, count or delta"),
    (HISTORY + "?agg=covered", "agg", "avg, min, max, first, last, count or delta"),
    (HISTORY + "?agg=avg,", "agg", "with commas between"),
    (HISTORY + "?series=power_w,", "series", "1 to 16 names such as power_w"),
    (HISTORY + "?series=" + ",".join(["power_w"] * 17), "series", "1 to 16 names"),
    (HISTORY + "?series=power_w%0d", "series", "1 to 16 names"),
    (HISTORY + "?series=bogus", "series", 'no series "bogus"'),
    (HISTORY + "?format=xml", "format", "json, csv, ndjson or openmetrics"),
    (HISTORY + "?format=JSON", "format", "json, csv, ndjson or openmetrics"),
    (ENERGY + "?period=decade", "period", "hour, day, week, month or year"),
    (ENERGY + "?period=day&format=ha-statistics", "period", "hour"),
    (ENERGY + "?channel=l1", "channel", 'no channel "l1"'),
    (ENERGY + "?channel=", "channel", "a name such as l1"),
    ("/api/v1/meters/main/frames?format=pcap", "format", "ndjson or capture"),
    ("/api/v1/meters/main/diagnostics?secrets=1", "secrets", "mask or show"),
    (HOME_ASSISTANT + "?url=meters.local", "url", "an address such as http://"),
    (HOME_ASSISTANT + "?url=http://a/?b", "url", "an address such as http://"),
    (HOME_ASSISTANT + "?url=http://a:65536", "url", "an address such as http://"),
    (HOME_ASSISTANT + "?scan_interval=0", "scan_interval", "from 1 to 3600"),
    (HOME_ASSISTANT + "?scan_interval=10s", "scan_interval", "from 1 to 3600"),
])
def test_bad_parameters(gateway, target, parameter, words):
    is_problem(gateway.get(target), 400, parameter, words)


@pytest.mark.parametrize("target", [
    "/api/v1/samples?", "/api/v1/samples?&&", "/api/v1/samples?limit=1&", "/api/v1/samples?limit=0001",
    HISTORY + "?from=2026-11-21T10:00:00+01:00&to=2026-11-21T10:00:00%2B00:00", HISTORY + "?step=366d",
    "/metrics?x=1", "/healthz?x=1&x=2", "/?utm=1",
])
def test_odd_and_good(gateway, target):
    assert gateway.get(target).status == 200


@pytest.mark.parametrize("target, words", [
    ("/api", "nothing at /api"), ("/api/v2/meters", "nothing at"), ("/API/v1/meters", "nothing at"),
    ("/api/v1/meters/", "nothing at"), ("/api/v1/../v1/meters", "nothing at"), ("//api/v1/meters", "nothing at"),
    ("/api/v1/meters/%2e%2e/now", 'no meter ".."'), ("/api/v1/meters/MAIN/now", 'no meter "MAIN"'),
    ("/api/v1/meters/main%2fnow", 'no meter "main%2fnow"'), ("/api/v1/meters/%ff/now", "no meter"),
    ("/api/v1/meters/%0a/now", "no meter"), ("/api/v1/meters/" + "m" * 3000, "no meter"),
    ("/api/v1/meters/main/now/POWER_W", 'no series "POWER_W"'), ("/api/v1/meters/main/now/.", 'no series "."'),
])
def test_nothing_there(gateway, target, words):
    is_problem(gateway.get(target), 404, None, words)


@pytest.mark.parametrize("method, target, allow", [
    ("DELETE", "/api/v1/meters", "GET, HEAD, OPTIONS"), ("POST", "/api/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ("PUT", "/metrics", "GET, HEAD, OPTIONS"), ("PATCH", "/", "GET, HEAD, OPTIONS"),
    ("get", "/healthz", "GET, HEAD, OPTIONS"),
    ("BREW", HISTORY + "?step=never", "GET, HEAD, OPTIONS"), ("TRACE", HISTORY, "GET, HEAD, OPTIONS"),
    ("GET", QUERY, "POST, OPTIONS"), ("HEAD", QUERY, "POST, OPTIONS"),
])
def test_wrong_methods(gateway, method, target, allow):
    answer = gateway.get(target, method=method)
    assert answer.headers["Allow"] == allow
    if method != "HEAD":
        is_problem(answer, 405, None, method + " is not possible here")
    assert answer.status == 405


def authorized(**more):
    more = {name.replace("_", "-"): value for name, value in more.items()}
    return {"Authorization": "Bearer control-secret", **more}


def test_bodies_nobody_asked_for(gateway):
    for content_type in "application/json", "text/plain", "application/x-www-form-urlencoded":
        answer = gateway.get(QUERY, "POST", authorized(Content_Type=content_type), b"{}")
        is_problem(answer, 415, None, "takes no body")
    is_problem(gateway.get(QUERY, "POST", authorized(), b"x" * 70000), 413)
    is_problem(gateway.get(QUERY, "POST", authorized(Transfer_Encoding="chunked"), b"1\r\nx\r\n0\r\n\r\n"), 411)
    is_problem(gateway.get(QUERY, "POST", authorized(Origin="http://evil.example")), 403)
    is_problem(gateway.get("/api/v1/meters/main/actions/dance", "POST", authorized()), 404, "action", "query")


def test_oversized_targets_and_headers(gateway):
    is_problem(gateway.get("/api/v1/samples?limit=" + "1" * 5000), 414)
    assert gateway.get("/api/v1", headers={"X-Long": "x" * 8000}).status == 200
    assert gateway.get("/api/v1", headers={"X-Long": "x" * 40000}).status == 431


def test_the_document_is_served(gateway):
    answer = gateway.get("/api/v1/openapi.json")
    document = answer.json
    assert answer.content_type == "application/json" and document["openapi"].startswith("3.1.")
    assert document["info"]["version"] in run("--version").stdout
    assert gateway.json("/api/v1")["links"]["openapi"] == "/api/v1/openapi.json"
    head = gateway.get("/api/v1/openapi.json", method="HEAD")
    assert head.status == 200 and head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert json.dumps(document).count('"$ref"') > 100


def test_the_document_says_who_may_read(gateway, start, tmp_path):
    """What a token is needed for follows the configuration, after a reload too."""
    def needs_token(g, **headers):
        document = fetch(g.http_port, "/api/v1/openapi.json", headers=headers).json
        return {} not in document["paths"]["/api/v1/meters"]["get"]["security"]

    assert not needs_token(gateway)
    (tmp_path / "tokens").write_text("control control-secret\n")
    guarded = start("[]", http="access: token\ntokens: %s" % (tmp_path / "tokens"))
    assert needs_token(guarded, **authorized())
    guarded.http_extra = "access: open"
    guarded.reload(guarded.config_text("[]"))
    wait_until(lambda: fetch(guarded.http_port, "/api/v1").status == 200)
    assert not needs_token(guarded)
