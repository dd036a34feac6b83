"""Remote write: every row of the history arrives, once, with the values of /samples, whatever the receiver does."""
import socket
from collections import Counter

import pytest

from gateway import free_port, run, wait_until
from receiver import Receiver

PLACES = {"voltage_v": 3, "current_a": 3, "power_w": 3, "energy_import_kwh": 6, "energy_export_kwh": 6,
          "power_factor": 3, "apparent_power_va": 3, "reactive_power_var": 3, "frequency_hz": 3, "temperature_c": 3}
NAMES = {"voltage_v": "voltage_volts", "current_a": "current_amperes", "power_w": "power_watts",
         "energy_import_kwh": "energy_imported_joules_total", "energy_export_kwh": "energy_exported_joules_total",
         "power_factor": "power_factor_ratio", "apparent_power_va": "apparent_power_volt_amperes",
         "reactive_power_var": "reactive_power_var", "frequency_hz": "frequency_hertz",
         "temperature_c": "temperature_celsius"}


@pytest.fixture
def receiver_at():
    made = []

    def make(port=0, answers=()):
        receiver = Receiver(port, answers)
        made.append(receiver)
        return receiver

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(receiver_at):
    return receiver_at()


def receivers(*entries):
    """With a history that is flushed every second: what is not safe on the disk is not sent."""
    return "remote_write:\n" + "".join("  - %s\n" % entry for entry in entries)


def write_to(receiver, name="here", more=""):
    return "{ name: %s, url: \"%s\"%s }" % (name, receiver if isinstance(receiver, str) else receiver.url,
                                            ", " + more if more else "")


def metric(key):
    channel, _, quantity = key.rpartition(".")
    return "metergate_" + ("channel_" if channel else "") + NAMES[quantity], channel or None, quantity


def rows(gateway):
    """Those that are safe on the disk: of others not all is told yet."""
    safe = gateway.json("/api/v1")["history"]["safe_cursor"]
    rows = gateway.json("/api/v1/samples?limit=11000")["samples"]
    return [row for row in rows if int(row["cursor"]) <= int(safe or 0)]


def expected(gateway):
    """All samples that the ring has safe rows for."""
    found = []
    for row in rows(gateway):
        for key, value in row.items():
            if key in ("cursor", "meter", "at", "at_ms"):
                continue
            name, channel, quantity = metric(key)
            number = round(value * 10 ** PLACES[quantity])
            value = number * 36 / 10 if quantity.startswith("energy") else number / 1000
            found.append((name, row["meter"], channel, row["at_ms"], value))
    return found


def without_markers(samples):
    return [s for s in samples if s[4] is not None]


def state(gateway, name="here"):
    return next(r for r in gateway.json("/api/v1/diagnostics")["remote_write"] if r["name"] == name)


def wait_everything(gateway, receiver, at_least=5):
    """Until the receiver has what /samples has, up to a row that was there when it was asked. /samples tells a total only
    when the meter's own has followed the checkpoint, so values are compared in the end."""
    wanted = wait_until(lambda: len(rows(gateway)) >= at_least and expected(gateway))
    wait_until(lambda: {s[:4] for s in wanted} <= {s[:4] for s in receiver.samples()}, what="all rows at the receiver")
    got = without_markers(receiver.samples())
    wait_until(lambda: set(got) <= set(expected(gateway)), what="the values of /samples")


def wait_nothing_on_its_way(gateway, receiver):
    """Hangs up. What the receiver has then, its sender knows, so that it is not sent again by whoever goes on."""
    receiver.listen(False)
    wait_until(lambda: state(gateway, "first")["samples"] == len(receiver.samples()), what="all answers are back")


@pytest.fixture
def house(mcu, start, meter, tmp_path):
    """house(entries...) starts a gateway with one meter that reports every second, flushed every second."""
    def begin(*entries, name="gateway0", **settings):
        gateway = start([meter(**settings)], name=name, extra=receivers(*entries) +
                        "history: { directory: %s, size: 2MiB, flush: 1s }\n" % history)
        gateway.wait_now(state="online")
        return gateway

    history = tmp_path / "house.history"
    history.mkdir()
    return begin


def test_rows_arrive_as_they_are(house, receiver):
    gateway = house(write_to(receiver, more="headers: { X-Scope-OrgID: house }, labels: { site: \"Ulm ö\" }"))
    wait_everything(gateway, receiver)
    status, path, headers, series = receiver.requests[0]
    assert path == "/api/v1/write"
    assert (headers["Content-Type"], headers["Content-Encoding"]) == ("application/x-protobuf", "snappy")
    assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert headers["User-Agent"].startswith("metergate/") and headers["X-Scope-OrgID"] == "house"
    for labels in receiver.labels():
        assert labels["instance"] == socket.gethostname() and labels["site"] == "Ulm ö"
        assert set(labels) <= {"__name__", "meter", "channel", "instance", "site"}
    got = without_markers(receiver.samples())
    assert len(got) == len(set(got)), "nothing twice"
    counters = [v for n, _, _, _, v in got if n == "metergate_energy_imported_joules_total"]
    assert counters == sorted(counters)
    # The last answer may still be on its way back.
    now = wait_until(lambda: (s := state(gateway))["samples"] >= len(got) and s)
    assert now["error"] is None and now["failed_samples"] == 0
    text = gateway.get("/metrics").text
    for line in ("samples_total", "failed_samples_total", "retries_total", "lost_rows_total", "lag_seconds"):
        assert "metergate_remote_write_%s{receiver=\"here\"} " % line in text


def test_names_are_those_of_metrics(house, receiver):
    gateway = house(write_to(receiver))
    wait_everything(gateway, receiver)
    shown = {line.split("{")[0] for line in gateway.get("/metrics").text.splitlines() if "{meter=" in line}
    assert {labels["__name__"] for labels in receiver.labels()} <= shown


def test_only_chosen_series(house, receiver):
    gateway = house(write_to(receiver, more="series: [power_w, energy_import_kwh]"))
    wait_until(lambda: len(receiver.samples()) >= 5)
    assert {s[0] for s in receiver.samples()} <= {"metergate_power_watts", "metergate_energy_imported_joules_total"}
    wait_until(lambda: state(gateway)["cursor"] != "0")


def test_an_outage_loses_nothing(house, receiver_at):
    """Nobody there at first, then errors, then one that asks for patience."""
    port = free_port()
    gateway = house(write_to("http://127.0.0.1:%d/api/v1/write" % port))
    gateway.wait_log("remote_write here", "waits in the history")
    wait_until(lambda: state(gateway)["retries"] >= 1 and state(gateway)["error"])
    receiver = receiver_at(port, answers=[500, (503, {"Retry-After": "1"}), 401])
    wait_everything(gateway, receiver)
    gateway.wait_log("remote_write here", "answers again")
    got = without_markers(receiver.samples())
    assert len(got) == len(set(got)) and not receiver.answers
    # The batch is the same each time.
    tried = [series for status, _, _, series in receiver.requests[:4]]
    assert all(one == tried[0] for one in tried)
    assert state(gateway)["failed_samples"] == 0
    said = [e["text"] for e in gateway.json("/api/v1/events")["events"] if e["kind"] == "remote_write"]
    assert any("cannot be reached" in text for text in said) and any("answers again" in text for text in said)


def test_a_refused_batch_does_not_block(house, receiver_at):
    bad, good = receiver_at(answers=[400]), receiver_at()
    gateway = house(write_to(bad, "bad"), write_to(good, "good"))
    wait_until(lambda: len(bad.requests) >= 3 and len(good.requests) >= 3)
    wait_everything(gateway, good)
    refused = [s for status, _, _, series in bad.requests if status == 400 for _, samples in series for s in samples]
    assert state(gateway, "bad")["failed_samples"] == len(refused)
    assert state(gateway, "good")["failed_samples"] == 0
    line = gateway.wait_log("remote_write bad", "refused", "400")
    assert "as the test wants it" in line and "second line" not in line
    assert any(e["kind"] == "remote_write" and "refused" in e["text"]
               for e in gateway.json("/api/v1/events")["events"])


def test_goes_on_after_a_restart_and_a_crash(house, receiver):
    gateway = house(write_to(receiver, "first"))
    wait_everything(gateway, receiver, at_least=3)
    wait_nothing_on_its_way(gateway, receiver)
    gateway.stop()
    receiver.listen(True)
    # What was only seen at the last flush is still to come.
    gateway = house(write_to(receiver, "first"), name="second")
    wait_everything(gateway, receiver, at_least=6)
    got = Counter(without_markers(receiver.samples()))
    assert max(got.values()) == 1, "a position that was kept in time"
    gateway.crash()
    gateway = house(write_to(receiver, "first"), name="third")
    wait_everything(gateway, receiver, at_least=9)
    got = without_markers(receiver.samples())
    # After a crash some may come again, and then as they were.
    assert len({s[:4] for s in got}) == len(set(got))


def test_a_damaged_position_sends_everything_again(house, receiver, tmp_path):
    gateway = house(write_to(receiver))
    wait_everything(gateway, receiver, at_least=3)
    gateway.stop()
    position = tmp_path / "house.history" / "remote-write-here.position"
    data = position.read_bytes()
    position.write_bytes(data[:-1] + bytes([data[-1] ^ 0xff]))
    gateway = house(write_to(receiver), name="second")
    gateway.wait_log("remote_write here", "position cannot be read")
    wait_everything(gateway, receiver)


def test_stale_markers(house, mcu, receiver):
    gateway = house(write_to(receiver), stale_after="2s")
    wait_everything(gateway, receiver)
    mcu.silence(True)
    gateway.wait_now(power_w=None)

    def powers(marked):
        """Times of power's markers, or of its values."""
        return [s[3] for s in receiver.samples() if s[0] == "metergate_power_watts" and (s[4] is None) == marked]

    # A millisecond behind the last moment for which the value holds. A busy machine may have had an outage before.
    wait_until(lambda: max(powers(False)) + 2001 in powers(True), what="the marker behind the last value")
    last = max(powers(False))
    assert not [s for s in receiver.samples() if s[4] is None and s[0].endswith("_total")]
    mcu.silence(False)
    gateway.wait_now(state="online", power_w=17.7)
    wait_until(lambda: max(s[3] for s in without_markers(receiver.samples())) > last)
    markers = [s for s in receiver.samples() if s[4] is None]
    assert len(markers) == len(set(markers))


def test_reload(house, receiver_at, meter, tmp_path):
    first, second = receiver_at(), receiver_at()
    token = tmp_path / "token"
    token.write_text("secret-1\n")
    token.chmod(0o600)
    history = "history: { directory: %s, size: 2MiB, flush: 1s }\n" % (tmp_path / "house.history")
    gateway = house(write_to(first, "first", "token_file: %s" % token))
    wait_everything(gateway, first, at_least=2)
    assert {h["Authorization"] for _, _, h, _ in first.requests} == {"Bearer secret-1"}
    sent = state(gateway, "first")["samples"]

    gateway.extra = receivers(write_to(first, "first", "token_file: %s" % token),
                              write_to(second, "second")) + history
    gateway.reload([meter()])
    gateway.wait_log("reloaded")
    wait_everything(gateway, second, at_least=2)
    assert state(gateway, "first")["samples"] >= sent, "it went on"

    wait_nothing_on_its_way(gateway, first)
    token.write_text("secret-2\n")
    gateway.reload([meter()])
    wait_until(lambda: gateway.log().count("reloaded") == 2)
    first.listen(True)
    wait_until(lambda: any(h["Authorization"] == "Bearer secret-2" for _, _, h, _ in first.requests))
    gateway.extra = history
    gateway.reload([meter()])
    wait_until(lambda: gateway.json("/api/v1/diagnostics")["remote_write"] == [])
    got = without_markers(first.samples())
    assert len(got) == len(set(got)), "a receiver with a new token goes on where the old one stood"


def test_check_config_tells_of_receivers(tmp_path):
    token = tmp_path / "token"
    token.write_text("one\ntwo\n")
    config = tmp_path / "metergate.yaml"
    config.write_text("meters: []\nremote_write:\n"
                      "  - { name: far, url: https://prometheus.example/api/v1/write, series: [power_w] }\n")
    shown = run("check-config", config)
    assert shown.returncode == 0, shown.stderr
    assert "remote write far" in shown.stdout and "https://prometheus.example/api/v1/write" in shown.stdout
    assert "instance: " + socket.gethostname() in shown.stdout and "power_w" in shown.stdout
    config.write_text(config.read_text().replace("series:", "token_file: token, series:"))
    shown = run("check-config", config)
    assert shown.returncode == 2 and "not a token" in shown.stderr


@pytest.mark.parametrize("entry, words", [
    ("{ name: a }", "url"),
    ("{ url: http://x/ }", "name"),
    ("{ name: A, url: http://x/ }", "is not a name"),
    ("{ name: a, url: ftp://x/ }", "no address that can be written to"),
    ("{ name: a, url: \"http://\" }", "no address that can be written to"),
    ("{ name: a, url: http://user:word@x/ }", "token_file"),
    ("{ name: a, url: http://x/, headers: { Authorization: x } }", "token_file"),
    ("{ name: a, url: http://x/, labels: { meter: x } }", "is not one"),
    ("{ name: a, url: http://x/, labels: { __x: x } }", "is not one"),
    ("{ name: a, url: http://x/, series: [power] }", "is no series"),
    ("{ name: a, url: http://x/, series: [] }", "the list is empty"),
    ("{ name: a, url: http://x/ }, { name: a, url: http://y/ }", "line 2 too"),
    ("{ name: a, url: http://x/, retries: 3 }", "retries"),
])
def test_mistakes(tmp_path, entry, words):
    config = tmp_path / "metergate.yaml"
    config.write_text("meters: []\nremote_write: [%s]\n" % entry)
    shown = run("check-config", config)
    assert shown.returncode == 2 and shown.stderr.count("\n") == 1
    assert "%s:2:" % config in shown.stderr and words in shown.stderr, shown.stderr
