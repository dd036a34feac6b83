"""Remote write to a real Prometheus and a real VictoriaMetrics, all of them stopped, killed and started at random: at
the end every row of the ring is in both, once and with its value."""
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

from gateway import SEED, TIMEOUT, Gateway, fetch, free_port, wait_until

NAMES = {"voltage_v": "voltage_volts", "current_a": "current_amperes", "power_w": "power_watts",
         "energy_import_kwh": "energy_imported_joules_total", "energy_export_kwh": "energy_exported_joules_total",
         "power_factor": "power_factor_ratio", "apparent_power_va": "apparent_power_volt_amperes",
         "reactive_power_var": "reactive_power_var", "frequency_hz": "frequency_hertz",
         "temperature_c": "temperature_celsius"}
CHAOS_S = float(os.environ.get("METERGATE_CHAOS", "60"))

pytestmark = pytest.mark.skipif(not shutil.which("prometheus") or not shutil.which("victoria-metrics"),
                                reason="prometheus or victoria-metrics is not installed")


class Engine:
    """A server that takes remote write, keeps its data over restarts and answers queries."""
    path = "/api/v1/write"

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        folder.mkdir()
        self.prepare()

    def prepare(self):
        pass

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)

    def stop(self, hard=False):
        self.process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        self.process.wait(TIMEOUT)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        if self.running():
            self.stop(hard=True)

    def ready(self):
        with contextlib.suppress(OSError):
            return fetch(self.port, self.ready_path).status == 200

    def wait_ready(self):
        wait_until(self.ready, what="%s answers" % self.command()[0])


class Prometheus(Engine):
    ready_path = "/-/ready"

    def prepare(self):
        (self.folder / "prometheus.yml").write_text("storage: { tsdb: { out_of_order_time_window: 1d } }\n")

    def command(self):
        return ["prometheus", "--config.file=%s" % (self.folder / "prometheus.yml"),
                "--storage.tsdb.path=%s" % (self.folder / "data"), "--web.listen-address=127.0.0.1:%d" % self.port,
                "--web.enable-remote-write-receiver"]

    def samples(self, begin_s, end_s):
        """A range of a plain selector gives the samples as they are; stale markers are left out."""
        query = urllib.parse.urlencode({"query": '{__name__=~"metergate_.+"}[%ds]' % (end_s - begin_s + 1),
                                        "time": end_s})
        answer = fetch(self.port, "/api/v1/query?" + query)
        assert answer.status == 200, answer
        return [(one["metric"], round(at * 1000), float(value))
                for one in answer.json["data"]["result"] for at, value in one["values"]]


class VictoriaMetrics(Engine):
    ready_path = "/health"

    def command(self):
        # What it took in when the answer was lost comes again, and shall be one: see docs/remote-write.md.
        return ["victoria-metrics", "-storageDataPath=%s" % (self.folder / "data"), "-retentionPeriod=1y",
                "-httpListenAddr=127.0.0.1:%d" % self.port, "-search.latencyOffset=0s",
                "-dedup.minScrapeInterval=1ms"]

    def samples(self, begin_s, end_s):
        # What came a moment ago is not shown before it was flushed.
        fetch(self.port, "/internal/force_flush")
        query = urllib.parse.urlencode({"match[]": '{__name__=~"metergate_.+"}', "start": begin_s, "end": end_s})
        answer = fetch(self.port, "/api/v1/export?" + query)
        assert answer.status == 200, answer
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return [(one["metric"], at, float(value)) for one in lines
                for at, value in zip(one["timestamps"], one["values"]) if value is not None]


@pytest.fixture
def engines(tmp_path):
    made = [Prometheus(tmp_path / "prometheus"), VictoriaMetrics(tmp_path / "victoria")]
    for engine in made:
        engine.start()
        engine.wait_ready()
    yield made
    for engine in made:
        engine.close()


def expected(gateway):
    """{(name, meter, channel, ms): value} of all rows of the ring that are safe on the disk."""
    found, after = {}, 0
    safe = int(gateway.json("/api/v1")["history"]["safe_cursor"] or 0)
    while True:
        page = gateway.json("/api/v1/samples?limit=10000&after=%s" % after)
        for row in page["samples"]:
            if int(row["cursor"]) > safe:
                return found
            for key, value in row.items():
                if key in ("cursor", "meter", "at", "at_ms"):
                    continue
                channel, _, quantity = key.rpartition(".")
                name = "metergate_" + ("channel_" if channel else "") + NAMES[quantity]
                value = round(value * 10 ** 6) * 36 / 10 if quantity.startswith("energy") else value
                found[name, row["meter"], channel or None, row["at_ms"]] = value
        if not page["samples"]:
            return found
        after = page["next"]


def stored(engine, begin_s, end_s):
    """The same of what an engine has. Nothing is there twice."""
    found = {}
    for metric, ms, value in engine.samples(begin_s, end_s):
        key = metric["__name__"], metric["meter"], metric.get("channel"), ms
        assert key not in found, key
        assert metric["instance"] == "tested"
        found[key] = value
    return found


class House:
    """A gateway with two simulated meters, killed or stopped and started again."""

    def __init__(self, folder, meters, engines):
        self.folder, self.meters, self.runs = folder, meters, 0
        self.directory = folder / "history"
        self.directory.mkdir()
        self.extra = "history: { directory: %s, size: 4MiB, flush: 1s }\nremote_write:\n" % self.directory
        for engine in engines:
            self.extra += "  - { name: %s, url: \"http://127.0.0.1:%d%s\", labels: { instance: tested } }\n" % (
                engine.folder.name, engine.port, engine.path)

    def start(self):
        self.runs += 1
        self.gateway = Gateway(self.folder, self.meters, extra=self.extra, name="run%d" % self.runs)

    def crash(self):
        self.gateway.crash()

    def stop(self):
        self.gateway.stop()


def trouble(chance, house, engines):
    """Something goes away for a while."""
    what = chance.randrange(5)
    if what < 2:
        house.crash() if what == 0 else house.stop()
        time.sleep(chance.uniform(0, 2))
        house.start()
        return
    engine = engines[chance.randrange(2)]
    if engine.running():
        # Killed, VictoriaMetrics forgets what it has acknowledged within the last second: that is no matter of ours.
        engine.stop(hard=isinstance(engine, Prometheus) and what == 4)
    else:
        engine.start()
        engine.wait_ready()


def test_every_row_is_in_both_once(tmp_path, mcu_at, meter, engines, capsys):
    chance = random.Random(SEED)
    begin_s = int(time.time()) - 1
    for name in ("main", "solar"):
        mcu_at(name)
    house = House(tmp_path, [meter("main"), meter("solar")], engines)
    house.start()
    try:
        end = time.monotonic() + CHAOS_S
        while time.monotonic() < end:
            time.sleep(chance.uniform(1, 6))
            trouble(chance, house, engines)
        for engine in engines:
            if not engine.running():
                engine.start()
                engine.wait_ready()
        compare(house.gateway, engines, begin_s, capsys)
    finally:
        house.gateway.stop()


def differences(found, known):
    return [(key, known.get(key), value) for key, value in found.items()
            if key not in known or abs(known[key] - value) > abs(value) * 1e-14]


def compare(gateway, engines, begin_s, capsys):
    wanted = wait_until(lambda: expected(gateway))
    for engine in engines:
        def missing():
            return wanted.keys() - stored(engine, begin_s, int(time.time()) + 1).keys()

        wait_until(lambda: not missing(), timeout=2 * TIMEOUT, interval=1,
                   what="all rows are in " + engine.folder.name)
        found = stored(engine, begin_s, int(time.time()) + 1)
        # A total is told by /samples when the meter's own has followed the checkpoint, a moment later.
        wait_until(lambda: not differences(found, expected(gateway)), interval=0.2,
                   what="the same values: %r" % differences(found, expected(gateway))[:3])
    facts = gateway.json("/api/v1/diagnostics")["remote_write"]
    assert [f["failed_samples"] for f in facts] == [0, 0]
    with capsys.disabled():
        print("# %d samples in each" % len(wanted))
