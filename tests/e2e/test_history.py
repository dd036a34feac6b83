"""History of real gateways: through HTTP in every form, across restarts, crashes and troubles with the disk."""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from fake_mcu import NO_PROFILE
from gateway import TIMEOUT, wait_until

LOAD = {18: 1000, 19: 2300, 20: 2300, 101: 500000}
KEPT = "metergate_history_up"


@pytest.fixture
def live(mcu_at, start, meter, tmp_path):
    """live() starts a gateway whose meter reports when it is told to; each one goes on with the history of the last."""
    class Live:
        count = 0

        def __call__(self, **options):
            """history: settings beside the directory, which is always the same."""
            self.count += 1
            settings = {"directory": tmp_path / "kept", "size": "2MiB", "flush": "1s", **options.pop("history", {})}
            extra = "history: { %s }\n" % ", ".join("%s: %s" % item for item in settings.items())
            self.gateway = start([meter(profile="tomzn-60a", poll="5min", stale_after="10min")], extra=extra,
                                 name="live%d" % self.count, **options)
            self.gateway.wait_history()
            return self.gateway

        def report(self, **dps):
            """The next reading, and until it is a row."""
            rows = samples(self.gateway)
            self.mcu.report(**dps)
            wait_until(lambda: len(samples(self.gateway)) > len(rows))

    one = Live()
    one.directory = tmp_path / "kept"
    one.mcu = mcu_at(values=LOAD, product=NO_PROFILE)
    return one


def samples(gateway, after="0"):
    """Every row after a cursor, page by page."""
    rows = []
    while True:
        page = gateway.json("/api/v1/samples?after=%s&limit=7" % after)
        rows += page["samples"]
        after = page["next"]
        if not page["samples"]:
            return rows


def raw(gateway, query=""):
    return gateway.json("/api/v1/meters/main/history?step=raw&limit=11000" + query)


def about(gateway):
    return gateway.json("/api/v1")["history"]


def energy(gateway):
    return gateway.json("/api/v1/meters/main")["readings"]["energy_import_kwh"]


def begin(live, reports=5, **options):
    """A gateway with some rows."""
    gateway = live(**options)
    gateway.wait_now(state="online", energy_import_kwh=5000)
    for i in range(reports):
        live.report(dp19=2300 + i, dp20=2300 + i, dp101=500000 + i)
    return gateway


# --- what is served ---

def test_every_form_carries_the_same(live):
    gateway = begin(live)
    table = raw(gateway, "&series=power_w,voltage_v,energy_import_kwh")
    assert table["columns"] == ["t_ms", "power_w", "voltage_v", "energy_import_kwh"]
    assert [row[1] for row in table["rows"] if row[1] is not None][-5:] == [230, 230.1, 230.2, 230.3, 230.4]
    assert table["rows"][-1][3] == 5000.04 and table["next"] is None

    base = "/api/v1/meters/main/history?step=raw&series=power_w,voltage_v,energy_import_kwh&format="
    answer = gateway.get(base + "csv")
    assert answer.content_type == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == table["columns"]
    assert [[json.loads(cell or "null") for cell in row] for row in rows[1:]] == table["rows"]

    answer = gateway.get(base + "ndjson")
    assert answer.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [dict(zip(table["columns"], row))
                                                                        for row in table["rows"]]

    answer = gateway.get(base + "openmetrics")
    assert answer.content_type == "application/openmetrics-text" and answer.text.endswith("# EOF\n")
    found = re.findall(r'^metergate_power_watts\{meter="main"\} (\S+) (\S+)$', answer.text, re.MULTILINE)
    assert [[float(t), float(value)] for value, t in found] == [[row[0] / 1000, row[1]] for row in table["rows"]
                                                                if row[1] is not None]
    found = re.findall(r'^metergate_energy_imported_joules_total\{meter="main"\} (\S+) ', answer.text, re.MULTILINE)
    assert [float(value) for value in found] == [round(row[3] * 3.6e6, 1) for row in table["rows"]
                                                 if row[3] is not None]


def test_samples_are_the_rows(live):
    gateway = begin(live)
    table = raw(gateway)
    rows = samples(gateway)
    assert [row["at_ms"] for row in rows] == [row[0] for row in table["rows"]]
    for row, cells in zip(rows, table["rows"]):
        assert row["meter"] == "main"
        for key, value in zip(table["columns"][1:], cells[1:]):
            assert row.get(key) == value
    assert [int(row["cursor"]) for row in rows] == sorted({int(row["cursor"]) for row in rows})
    assert all(isinstance(row["cursor"], str) for row in rows)
    assert about(gateway)["cursor"] == rows[-1]["cursor"]


def test_steps_agree_with_the_rows(live):
    gateway = begin(live)
    table = gateway.json("/api/v1/meters/main/history?series=power_w,energy_import_kwh&step=1h&from=-1h"
                         "&agg=min,max,count,last,delta")
    rows = raw(gateway, "&series=power_w,energy_import_kwh")["rows"]
    powers = [row[1] for row in rows if row[1] is not None]
    columns = [dict(zip(table["columns"], row)) for row in table["rows"]]
    known = [row for row in columns if row["power_w.count"]]
    assert sum(row["power_w.count"] for row in known) == len(powers)
    assert min(row["power_w.min"] for row in known) == min(powers)
    assert max(row["power_w.max"] for row in known) == max(powers)
    assert known[-1]["energy_import_kwh.last"] == 5000.04
    assert round(sum(row["energy_import_kwh.delta"] or 0 for row in columns), 6) == 0.04


def test_what_is_wrong_is_named(live):
    gateway = begin(live, 1)
    for query, parameter in (("series=bogus", "series"), ("from=soon", "from"), ("from=now&to=-1h", "from"),
                             ("step=1s", "step"), ("agg=mean", "agg"), ("limit=0", "limit"),
                             ("format=xls", "format")):
        answer = gateway.get("/api/v1/meters/main/history?" + query)
        assert answer.status == 400 and answer.json["parameter"] == parameter, query


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_takes_the_openmetrics_answer_unchanged(live, tmp_path):
    gateway = begin(live)
    for i, query in enumerate(("step=raw", "step=10s&from=-10min", "step=1h&agg=max&from=-5h")):
        path = tmp_path / ("answer%d.txt" % i)
        path.write_bytes(gateway.get("/api/v1/meters/main/history?format=openmetrics&" + query).body)
        blocks = tmp_path / ("tsdb%d" % i)
        result = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", path, blocks],
                                capture_output=True, text=True, timeout=TIMEOUT)
        assert result.returncode == 0, result.stderr + path.read_text()
        assert list(blocks.glob("*/index")), result.stdout


# --- across restarts ---

def check_goes_on(live, gateway, before, clean=True):
    """The past is the same, and the energy goes on. It is known before the meter says a word, but after a crash: there
    it might be less than what was shown last."""
    rows = samples(gateway)
    assert rows == before
    if clean:
        assert energy(gateway)["value"] == 5000.04 and energy(gateway)["source"] == "restored"
        assert energy(gateway)["at_ms"] == before[-1]["at_ms"]
    else:
        assert energy(gateway)["value"] is None
    assert gateway.now()["power_w"] is None
    live.mcu.replug()
    gateway.wait_now(state="online")
    live.report(dp101=500010, dp19=2000)
    gateway.wait_now(energy_import_kwh=5000.10)
    assert energy(gateway)["source"] == "measured"
    rows = samples(gateway)
    assert rows[:len(before)] == before
    values = [row["energy_import_kwh"] for row in rows if "energy_import_kwh" in row]
    assert values == sorted(values)
    assert gateway.counter("register_resets") == 0


def test_restart(live):
    before = samples(begin(live))
    live.gateway.stop()
    live.mcu.unplug()
    gateway = live()
    check_goes_on(live, gateway, before)
    assert int(samples(gateway)[len(before)]["cursor"]) == int(before[-1]["cursor"]) + 1


def test_restart_with_another_size(live):
    before = samples(begin(live))
    live.gateway.stop()
    live.mcu.unplug()
    check_goes_on(live, live(history={"size": "4MiB"}), before)
    assert os.path.getsize(live.directory / "history.ring") == 4 << 20


def wait_checkpoint(gateway):
    """Until all rows that there are would survive the process."""
    newest = about(gateway)["cursor"]
    wait_until(lambda: int(about(gateway)["safe_cursor"]) >= int(newest))


def test_kill(live):
    """Nothing that was checkpointed is lost, and no cursor is given twice."""
    gateway = begin(live)
    live.mcu.unplug()
    gateway.wait_now(state="offline")
    wait_checkpoint(gateway)
    before = samples(gateway)
    gateway.crash()
    gateway = live()
    check_goes_on(live, gateway, before, clean=False)
    assert int(samples(gateway)[len(before)]["cursor"]) > int(before[-1]["cursor"])


def test_many_kills(live):
    """A reader by cursor sees every row once, in order, and nothing that was not reported."""
    seen, after, value = [], "0", 500000
    for round in range(4):
        gateway = live()
        gateway.wait_now(state="online")
        for _ in range(3):
            value += 1
            live.report(dp101=value, dp19=2000 + value % 100)
            rows = samples(gateway, after)
            seen += rows
            after = seen[-1]["cursor"]
        if round % 2:
            wait_checkpoint(gateway)
        kept = samples(gateway)
        gateway.crash()
    cursors = [int(row["cursor"]) for row in seen]
    assert cursors == sorted(set(cursors))
    gateway = live()
    gateway.wait_now(state="online", energy_import_kwh=value / 100)
    rows = samples(gateway)
    told = {row["cursor"]: row for row in seen + kept}
    assert all(told.get(row["cursor"], row) == row for row in rows)
    energies = [row["energy_import_kwh"] for row in rows if "energy_import_kwh" in row]
    assert energies == sorted(energies)
    assert gateway.counter("register_resets") == 0


def test_cursor_of_a_history_that_is_gone(live):
    gateway = begin(live)
    page = gateway.json("/api/v1/samples?after=123456789&limit=3")
    assert page["restarted"] is True
    assert page["samples"] == samples(gateway)[:3]


# --- troubles ---

def check_serves_without_a_disk(gateway, *words):
    """Values go on, from memory they also have a past, and everybody is told."""
    gateway.wait_now(state="online", energy_import_kwh=5000)
    told = about(gateway)
    assert told["state"] == "ready" and all(word in told["error"] for word in words), told
    assert gateway.json("/healthz")["history"] == "failing"
    assert "\n%s 0\n" % KEPT in gateway.get("/metrics").text
    assert gateway.wait_log("history", *words).startswith("<3>")
    wait_until(lambda: samples(gateway))


def test_all_is_well(live):
    gateway = live()
    gateway.wait_now(state="online", energy_import_kwh=5000)
    assert about(gateway)["error"] is None
    assert gateway.json("/healthz")["history"] == "ready"
    assert "\n%s 1\n" % KEPT in gateway.get("/metrics").text
    assert about(gateway)["bytes_allocated"] == 2 << 20


def test_second_gateway_on_one_history(live, mcu_at, start, meter):
    first = begin(live)
    mcu_at("other", values=LOAD, product=NO_PROFILE)
    second = start([meter(port=live.directory.parent / "other", profile="tomzn-60a")], name="second",
                   may_log_errors=True,
                   extra="history: { directory: %s, size: 2MiB }\n" % live.directory)
    check_serves_without_a_disk(second, "in use by process %d" % first.pid)
    rows = samples(first)
    live.report(dp19=2222)
    assert len(samples(first)) == len(rows) + 1


def test_folder_that_cannot_be(live):
    (live.directory.parent / "file").write_text("x")
    gateway = live(history={"directory": live.directory.parent / "file" / "kept"}, may_log_errors=True)
    check_serves_without_a_disk(gateway, "file/kept", "Not a directory")


def in_mount(folder, options):
    """A prefix that runs a program with a small file system of its own at that folder."""
    script = 'mount -t tmpfs -o "$1" none "$0" && shift && exec "$@"'
    prefix = ["unshare", "-m", "sh", "-c", script, str(folder), options]
    try:
        result = subprocess.run([*prefix, "true"], capture_output=True, timeout=TIMEOUT)
    except OSError:
        result = None
    if result is None or result.returncode != 0:
        pytest.skip("nothing can be mounted here")
    return prefix


@pytest.mark.parametrize("options,words", [("ro", "Read-only file system"),
                                           ("size=1m", "make room or choose a smaller size")])
def test_disk_that_takes_nothing(live, options, words):
    live.directory.mkdir()
    gateway = live(prefix=in_mount(live.directory, options), may_log_errors=True)
    check_serves_without_a_disk(gateway, words)
    with open("/proc/%d/mounts" % gateway.pid) as mounts:
        assert str(live.directory) in mounts.read()


@pytest.mark.parametrize("content", [b"my diary\n" * 1000, b"", b"\x89MHS\r\n\x1a\n\xff\xff" + bytes(8192)],
                         ids=["text", "empty", "version"])
def test_foreign_file_is_set_aside(live, content):
    live.directory.mkdir()
    path = live.directory / "history.ring"
    path.write_bytes(content)
    gateway = begin(live)
    assert about(gateway)["error"] is None
    assert (live.directory / "history.ring.set-aside-1").read_bytes() == content
    assert gateway.wait_log("set aside", str(path))
    before = samples(gateway)
    gateway.stop()
    live.mcu.unplug()
    assert samples(live()) == before


def test_reload_does_not_change_it(live):
    gateway = begin(live)
    gateway.extra = gateway.extra.replace("flush: 1s", "flush: 2s")
    gateway.reload(re.search(r"^meters:.*", gateway.config_path.read_text(), re.DOTALL | re.MULTILINE).group(0).join(
        [gateway.config_text([]).split("meters:")[0], ""]))
    assert gateway.wait_log("history", "restart")
    gateway.wait_log("reloaded")
    assert len(samples(gateway)) >= 5
    gateway.signal(signal.SIGHUP)


def test_nothing_is_kept_elsewhere(live):
    begin(live).stop()
    assert [path.name for path in live.directory.glob("history*")] == ["history.ring"]
    assert not os.path.exists("/var/lib/metergate/history.ring")
