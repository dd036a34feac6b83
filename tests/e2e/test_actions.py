"""Requests that change something: who may send them, what reaches the meter, and what is told of it."""
import base64
import json
import time

import pytest

from fake_mcu import HEARTBEAT
from fake_mcu import QUERY as QUERY_COMMAND
from fake_mcu import SET as SET_COMMAND
from gateway import wait_until
from test_demo import simulator  # noqa: F401

QUERY = "/api/v1/meters/main/actions/query"
SET = "/api/v1/meters/main/actions/set-datapoint"
READ, CONTROL = "read-token-for-tests", "control-token-for-tests"


def bearer(token, **more):
    return {"Authorization": "Bearer " + token, **more}


def queries(mcu):
    with mcu.changed:
        return sum(frame.command == QUERY_COMMAND for frame in mcu.frames)


def writes(mcu):
    with mcu.changed:
        return [frame.data for frame in mcu.frames if frame.command == SET_COMMAND]


def set_datapoint(gateway, path=SET, token=CONTROL, **body):
    return gateway.get(path, "POST", bearer(token, **{"Content-Type": "application/json"}), json.dumps(body))


def actions_told(gateway):
    return [e for e in gateway.json("/api/v1/events")["events"] if e["kind"] == "action"]


def is_problem(answer, status, *words):
    assert answer.status == status, answer
    assert answer.content_type == "application/problem+json"
    detail = answer.json["detail"]
    assert answer.json["status"] == status and all(word in detail for word in words), detail


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("read %s\ncontrol %s\n" % (READ, CONTROL))
    path.chmod(0o600)
    return path


@pytest.fixture
def guarded(mcu, start, meter, tokens):
    """A meter that delivers, everybody may read, and control needs its token."""
    gateway = start([meter(poll="1min")], http="access: open\ntokens: %s" % tokens)
    gateway.wait_now(state="online", power_w=17.7)
    return gateway


def test_query_asks_the_meter_at_once(mcu, guarded):
    quiet = [0, 0.0]

    def settled():
        """The start's own queries are over."""
        if queries(mcu) != quiet[0] or quiet[1] == 0:
            quiet[:] = queries(mcu), time.monotonic()
        return time.monotonic() - quiet[1] > 1

    wait_until(settled)
    asked = queries(mcu)
    answer = guarded.get(QUERY, "POST", bearer(CONTROL))
    assert answer.status == 202 and answer.content_type == "application/json"
    assert answer.json == {"meter": "main", "action": "query", "status": "accepted"}
    wait_until(lambda: queries(mcu) > asked, what="a query on the line")
    assert guarded.wait_log("query", "somebody asked")


def test_the_token_as_a_password(guarded):
    basic = base64.b64encode(b"anyone:" + CONTROL.encode()).decode()
    assert guarded.get(QUERY, "POST", {"Authorization": "Basic " + basic}).status == 202


def test_reading_is_not_controlling(mcu, guarded):
    asked = queries(mcu)
    is_problem(guarded.get(QUERY, "POST"), 403, "control")
    is_problem(guarded.get(QUERY, "POST", bearer(READ)), 403, "control")
    is_problem(guarded.get(QUERY, "POST", bearer("something-else")), 403, "control")
    assert guarded.get("/api/v1/meters").status == 200
    assert queries(mcu) == asked


def test_without_any_token_there_is_no_control(mcu, online):
    gateway = online()
    is_problem(gateway.get(QUERY, "POST"), 403, "control", "http.tokens")
    is_problem(gateway.get(QUERY, "POST", bearer(CONTROL)), 403, "control")


def test_with_access_by_token(mcu, start, meter, tokens):
    gateway = start([meter()], http="access: token\ntokens: %s" % tokens)
    answer = gateway.get(QUERY, "POST")
    is_problem(answer, 401, "token")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    is_problem(gateway.get(QUERY, "POST", bearer(READ)), 403, "control")
    wait_until(lambda: gateway.get(QUERY, "POST", bearer(CONTROL)).status == 202)


def test_pages_of_others_are_refused(mcu, guarded):
    asked = queries(mcu)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        is_problem(guarded.get(QUERY, "POST", bearer(CONTROL, Origin=origin)), 403, "another site")
    assert queries(mcu) == asked
    own = "http://127.0.0.1:%d" % guarded.http_port
    assert guarded.get(QUERY, "POST", bearer(CONTROL, Origin=own)).status == 202


def test_what_is_no_action(guarded):
    base = "/api/v1/meters/main/actions/"
    for name in ("leave", "reset", "d", "QUERY", "query%20"):
        is_problem(guarded.get(base + name, "POST", bearer(CONTROL)), 404, "query", "rejoin")
    is_problem(guarded.get("/api/v1/meters/garage/actions/query", "POST", bearer(CONTROL)), 404, "main")
    is_problem(guarded.get(QUERY + "?now=1", "POST", bearer(CONTROL)), 400)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = guarded.get(QUERY, method, bearer(CONTROL))
        assert answer.status == 405 and answer.headers["Allow"] == "POST, OPTIONS", answer
    assert guarded.get(QUERY, "OPTIONS", bearer(CONTROL)).headers["Allow"] == "POST, OPTIONS"


def test_bodies(mcu, guarded):
    asked = queries(mcu)
    for body, kind in ((b"{}", "application/json"), (b"action=query", "application/x-www-form-urlencoded"),
                       (b"x", None)):
        headers = bearer(CONTROL, **({"Content-Type": kind} if kind else {}))
        is_problem(guarded.get(QUERY, "POST", headers, body), 415, "no body")
    is_problem(guarded.get(QUERY, "POST", bearer(CONTROL), b"x" * 65537), 413)
    assert queries(mcu) == asked
    assert guarded.get(QUERY, "POST", bearer(CONTROL, **{"Content-Type": "application/json"}), b"").status == 202


def test_what_the_meter_cannot_do(guarded, start, meter, tokens, tmp_path):
    is_problem(guarded.get("/api/v1/meters/main/actions/rejoin", "POST", bearer(CONTROL)), 409, "tuyamcu", "rejoin")
    gone = start([meter(id="away")], http="access: open\ntokens: %s" % tokens)
    is_problem(gone.get("/api/v1/meters/away/actions/query", "POST", bearer(CONTROL)), 409, "connecting")


def test_a_meter_that_is_only_listened_to(mcu, start, meter, tokens):
    gateway = start([meter(role="listen")], http="access: open\ntokens: %s" % tokens)
    is_problem(gateway.get(QUERY, "POST", bearer(CONTROL)), 409)


def test_diagnostics_take_a_word_about_secrets(guarded):
    path = "/api/v1/meters/main/diagnostics"
    assert guarded.get(path + "?secrets=show", headers=bearer(CONTROL)).headers["Cache-Control"] == "no-store"
    is_problem(guarded.get(path + "?secrets=show", headers=bearer(READ)), 403, "control")
    is_problem(guarded.get(path + "?secrets=show"), 403, "control")
    is_problem(guarded.get(path + "?secrets=1", headers=bearer(CONTROL)), 400, "show")
    assert guarded.get(path + "?secrets=mask").status == 200


def test_each_action_is_told(guarded):
    assert guarded.get(QUERY, "POST", bearer(CONTROL)).status == 202
    guarded.get("/api/v1/meters/main/actions/rejoin", "POST", bearer(CONTROL))
    told = [(e["meter"], e["text"]) for e in actions_told(guarded)]
    assert told == [("main", "main: somebody asked: query: accepted"),
                    ("main", "main: somebody asked: rejoin: refused")]


# A plug: a relay, a countdown, the state after a power cut, and what it measures.
PLUG = {1: False, 9: 0, 18: 77, 19: 177, 20: 2403, 41: False, 21: 0}


@pytest.fixture
def plug(mcu_at, start, meter, tokens):
    mcu = mcu_at("main", values=PLUG)
    gateway = start([meter(profile="plug-standard")], http="access: open\ntokens: %s" % tokens)
    gateway.wait_now(state="online", power_w=17.7)
    return mcu, gateway


def test_a_datapoint_is_written_and_confirmed(plug):
    mcu, gateway = plug
    assert gateway.diagnostics()["last_write"] is None
    assert gateway.datapoints()[1]["writable"] is True and "writable" not in gateway.datapoints()[20]
    answer = set_datapoint(gateway, dp=1, raw=True)
    assert answer.status == 202 and answer.content_type == "application/json"
    assert answer.json == {"meter": "main", "action": "set-datapoint", "status": "accepted", "dp": 1, "raw": True}
    last = wait_until(lambda: (w := gateway.diagnostics()["last_write"])["status"] != "pending" and w)
    assert last["status"] == "confirmed" and last["dp"] == 1 and last["raw"] is True and last["count"] == 1
    assert last["ended_ms"] >= last["at_ms"]
    assert mcu.values[1] is True
    assert writes(mcu) == [bytes([1, 1, 0, 1, 1])]
    assert gateway.datapoints()[1]["raw"] == 1
    told = actions_told(gateway)
    assert [e["text"] for e in told] == [
        "main: somebody asked: set-datapoint dp 1 to 1: confirmed: the meter reports it"]
    assert told[0]["value"] == 1
    assert set_datapoint(gateway, dp=9, raw=3600).status == 202
    wait_until(lambda: mcu.values[9] == 3600)
    assert writes(mcu)[1:] == [bytes([9, 2, 0, 4, 0, 0, 0x0E, 0x10])]


def test_a_meter_that_does_not_obey(plug):
    mcu, gateway = plug
    mcu.when_set = lambda data: None
    assert set_datapoint(gateway, dp=1, raw=True).status == 202
    last = wait_until(lambda: (w := gateway.diagnostics()["last_write"])["status"] != "pending" and w)
    assert last["status"] == "not_confirmed" and last["reason"] == "the meter reports another value"
    assert "not confirmed: the meter reports another value" in actions_told(gateway)[-1]["text"]
    assert len(writes(mcu)) == 1
    assert gateway.now()["state"] == "online"


def test_a_meter_that_restarts_in_between(plug):
    mcu, gateway = plug

    def restart(data):
        mcu.restart()
        mcu.send(HEARTBEAT, b"\0")

    mcu.when_set = restart
    assert set_datapoint(gateway, dp=1, raw=True).status == 202
    wait_until(lambda: gateway.counter("restarts") == 1)
    assert gateway.diagnostics()["last_write"]["status"] == "not_confirmed"
    assert "restarted" in gateway.diagnostics()["last_write"]["reason"]
    gateway.wait_now(state="online", power_w=17.7)
    assert len(writes(mcu)) == 1


def test_what_is_not_written(plug):
    mcu, gateway = plug
    is_problem(set_datapoint(gateway, dp=20, raw=2300), 409, "datapoint 20 is not writable", "plug-standard")
    is_problem(set_datapoint(gateway, dp=21, raw=1), 409, "dangerous (test)")
    is_problem(set_datapoint(gateway, dp=22, raw=1), 409, "dangerous (calibration)")
    is_problem(set_datapoint(gateway, dp=200, raw=1), 409, "does not know datapoint 200")
    for body, parameter in (({"dp": 1, "raw": 2}, "raw"), ({"dp": 1, "text": "on"}, "text"), ({"dp": 1}, "raw"),
                            ({"raw": True}, "dp"), ({"dp": "1", "raw": True}, "dp"), ({"dp": 38, "raw": 3}, "raw"),
                            ({"dp": 1, "raw": 1.0}, "raw"), ({"dp": 9, "raw": 2**31}, "raw")):
        answer = set_datapoint(gateway, **body)
        is_problem(answer, 400)
        assert answer.json["parameter"] == parameter, (body, answer.json)
    is_problem(set_datapoint(gateway, dp=1, value=True), 400, "unknown key", "value")
    is_problem(set_datapoint(gateway, token=READ, dp=1, raw=True), 403, "control")
    is_problem(set_datapoint(gateway, path=SET + "?dp=1", dp=1, raw=True), 400)
    is_problem(set_datapoint(gateway, path=SET.replace("main", "garage"), dp=1, raw=True), 404, "main")
    headers = bearer(CONTROL, **{"Content-Type": "application/json"})
    is_problem(gateway.get(SET, "POST", headers, b'{"dp":1,"raw":true,"raw":false}'), 400, "duplicate", "raw")
    is_problem(gateway.get(SET, "POST", headers, b""), 400, "empty")
    is_problem(gateway.get(SET, "POST", headers, b'{"dp":1,"raw":tru'), 400, "line 1, column")
    is_problem(gateway.get(SET, "POST", headers, b" " * 4097), 413, "4096")
    is_problem(gateway.get(SET, "POST", bearer(CONTROL), b'{"dp":1,"raw":true}'), 415, "application/json")
    form = bearer(CONTROL, **{"Content-Type": "application/x-www-form-urlencoded"})
    is_problem(gateway.get(SET, "POST", form, b"dp=1&raw=1"), 415)
    answer = gateway.get(SET, "GET", bearer(CONTROL))
    assert answer.status == 405 and answer.headers["Allow"] == "POST, OPTIONS"
    assert writes(mcu) == []
    assert gateway.diagnostics()["last_write"] is None


def test_relays_are_spared(plug):
    mcu, gateway = plug
    done = 0
    while (answer := set_datapoint(gateway, dp=1, raw=done % 2 == 0)).status == 202:
        done += 1
        wait_until(lambda: gateway.diagnostics()["last_write"]["status"] == "confirmed")
    is_problem(answer, 429, "wear out")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert done >= 10 and len(writes(mcu)) == done
    assert gateway.get(QUERY, "POST", bearer(CONTROL)).status == 202


def test_nothing_is_written_where_one_only_listens(mcu, start, meter, tokens):
    gateway = start([meter(role="listen", profile="plug-standard")], http="access: open\ntokens: %s" % tokens)
    is_problem(set_datapoint(gateway, dp=1, raw=True), 409, "only listened to")
    assert mcu.frames == []


def test_the_simulated_plug_obeys(simulator, start, meter, tokens):  # noqa: F811
    simulator("--profile", "plug-standard")
    gateway = start([meter(profile="plug-standard")], http="access: open\ntokens: %s" % tokens)
    wait_until(lambda: gateway.now().get("voltage_v"))
    assert gateway.datapoints()[1]["raw"] == 0
    for raw in (True, False):
        assert set_datapoint(gateway, dp=1, raw=raw).status == 202
        wait_until(lambda: gateway.diagnostics()["last_write"]["status"] == "confirmed")
        assert gateway.datapoints()[1]["raw"] == raw
    assert set_datapoint(gateway, dp=38, raw=2).status == 202
    wait_until(lambda: gateway.datapoints()[38]["raw"] == 2)
    assert gateway.datapoints()[38]["range"] == [0, 2]
