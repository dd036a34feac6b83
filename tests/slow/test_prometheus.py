"""A real Prometheus: its own checker, and a server that scrapes us."""
import json
import shutil
import subprocess
import urllib.parse

import pytest

from gateway import TIMEOUT, Process, fetch, free_port, wait_until

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")


def check_metrics(port):
    """promtool's verdict on what we serve: it has to say nothing at all."""
    answer = fetch(port, "/metrics")
    assert answer.status == 200
    result = subprocess.run([PROMTOOL, "check", "metrics"], input=answer.body, capture_output=True, timeout=TIMEOUT)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    return answer.text


@needs_promtool
def test_metrics_of_no_meters(start):
    check_metrics(start("[]").http_port)


@needs_promtool
def test_metrics_of_a_meter_never_found(start, meter):
    assert "metergate_meter_up{" in check_metrics(start([meter(profile="pj-mgw1103")]).http_port)


@needs_promtool
def test_metrics_of_a_live_and_of_a_stale_meter(mcu, online):
    gateway = online(stale_after="3s", name='"a \\"quoted\\" name"')
    assert "metergate_power_watts{" in check_metrics(gateway.http_port)
    mcu.silence(True)
    gateway.wait_now(power_w=None)
    assert "metergate_power_watts{" not in check_metrics(gateway.http_port)


@needs_promtool
def test_metrics_after_troubles(mcu, online):
    gateway = online()
    mcu.noise(0.5)
    mcu.restart()
    wait_until(lambda: gateway.counter("restarts") == 1)
    mcu.unplug()
    mcu.replug()
    gateway.wait_now(state="online", power_w=17.7)
    gateway.get("/nowhere")
    gateway.get("/api/v1/meters/other")
    check_metrics(gateway.http_port)


@needs_promtool
def test_metrics_of_the_demo(tmp_path):
    port = free_port()
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % port)
    try:
        def serves():
            try:
                return "metergate_power_watts{" in fetch(port, "/metrics").text
            except OSError:
                return False
        wait_until(serves)
        check_metrics(port)
    finally:
        process.kill()


@pytest.fixture
def prometheus(tmp_path):
    """prometheus(target) runs a server that scrapes that port every second; gives a query function."""
    running = []

    def start(target, **authorization):
        port = free_port()
        job = {"job_name": "metergate", "scrape_interval": "1s", "scrape_timeout": "1s",
               "static_configs": [{"targets": ["127.0.0.1:%d" % target]}], **authorization}
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        with open(tmp_path / "prometheus.log", "wb") as log:
            running.append(subprocess.Popen(
                [PROMETHEUS, "--config.file=%s" % (tmp_path / "prometheus.yml"),
                 "--storage.tsdb.path=%s" % (tmp_path / "data"), "--web.listen-address=127.0.0.1:%d" % port],
                stdout=log, stderr=log))

        def query(expression):
            try:
                answer = fetch(port, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            except OSError:
                return []
            return answer.json["data"]["result"] if answer.status == 200 else []
        return query

    yield start
    for process in running:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@needs_prometheus
def test_a_server_scrapes_what_is_served(mcu, online, prometheus):
    gateway = online(name="House main")
    query = prometheus(gateway.http_port)
    assert wait_until(lambda: query("metergate_power_watts"))[0]["value"][1] == "17.7"
    result = query("metergate_power_watts")[0]
    assert float(result["value"][1]) == gateway.now()["power_w"]
    assert result["metric"]["meter"] == "main"
    for expression, value in {"metergate_voltage_volts": "240.3", "metergate_current_amperes": "0.077",
                              "metergate_apparent_power_volt_amperes": "18.503",
                              "metergate_power_factor_ratio": "0.957", "metergate_meter_up": "1"}.items():
        assert [r["value"][1] for r in query(expression)] == [value], expression
    info = query("metergate_meter_info")[0]["metric"]
    assert (info["name"], info["protocol"], info["profile"]) == ("House main", "tuyamcu", "pj-mgw1103")
    mcu.report(dp19=250)
    wait_until(lambda: [r["value"][1] for r in query("metergate_power_watts")] == ["25"])
    # The series vanishes with its meter, and is not repeated.
    mcu.unplug()
    wait_until(lambda: query("metergate_power_watts") == [] and query('up{job="metergate"}'))
    assert [r["value"][1] for r in query("metergate_meter_up")] == ["0"]


@needs_prometheus
@pytest.mark.parametrize("way", ["bearer", "basic"])
def test_a_server_with_a_token(start, prometheus, tmp_path, way):
    tokens = tmp_path / "tokens"
    tokens.write_text("read a-token-of-some-length\n")
    tokens.chmod(0o600)
    gateway = start("[]", http="access: token\ntokens: %s" % tokens)
    query = prometheus(gateway.http_port, **(
        {"authorization": {"credentials": "a-token-of-some-length"}} if way == "bearer"
        else {"basic_auth": {"username": "prometheus", "password": "a-token-of-some-length"}}))
    wait_until(lambda: [r["value"][1] for r in query('up{job="metergate"}')] == ["1"])
