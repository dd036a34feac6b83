"""Requests that change something: who may send them, and what reaches the meter."""
import base64
import time

import pytest

from fake_mcu import QUERY as QUERY_COMMAND
from gateway import wait_until

QUERY = "/api/v1/meters/main/actions/query"
READ, CONTROL = "read-token-for-tests", "control-token-for-tests"


def bearer(token, **more):
    return {"Authorization": "Bearer " + token, **more}


def queries(mcu):
    with mcu.changed:
        return sum(frame.command == QUERY_COMMAND for frame in mcu.frames)


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
    for body, kind in ((b"{}", "application/json"), (b"action=query", "application/x-www-form-urlencoded"), (b"x", None)):
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
