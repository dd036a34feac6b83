"""A real Prometheus: its own checker, and a server that scrapes us."""
import gzip
import http.server
import json
import shutil
import subprocess
import threading
import urllib.parse

import pytest

import python_client
from gateway import TIMEOUT, Process, fetch, free_port, wait_until
from home_assistant import Unavailable

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")


TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Of a meter with two clamps: power, current and voltage of each.
CHANNELS = {105: 1000, 106: 435, 107: 2300, 115: 2000, 116: 870, 117: 2300}

# What changes between two requests, and with them.
RESTLESS = ("process_", "metergate_http_requests")


@pytest.fixture(scope="session")
def client():
    """The Python that has Prometheus' client."""
    try:
        return python_client.environment()
    except Unavailable as why:
        pytest.skip("prometheus-client cannot be installed: %s" % why)


def check_metrics(port):
    """promtool's verdict on what we serve: it has to say nothing at all."""
    answer = fetch(port, "/metrics")
    assert (answer.status, answer.headers["Content-Type"]) == (200, TEXT)
    result = subprocess.run([PROMTOOL, "check", "metrics"], input=answer.body, capture_output=True, timeout=TIMEOUT)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    return answer.text


def check_parsers(port, client):
    """Both parsers take both forms, and find the same in them. Gives the families of OpenMetrics by name."""
    text = fetch(port, "/metrics")
    packed = fetch(port, "/metrics", headers={"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"})
    assert (text.headers["Content-Type"], packed.headers["Content-Type"]) == (TEXT, OPENMETRICS)
    assert "Accept" in [name.strip() for name in packed.headers["Vary"].split(",")]
    families = python_client.parse(client, "openmetrics", gzip.decompress(packed.body).decode())

    def names(parsed):
        return sorted((name, sorted(labels.items())) for _, _, _, samples in parsed for name, labels, _ in samples
                      if not name.startswith(RESTLESS) and not name.endswith("_created"))
    assert names(families) == names(python_client.parse(client, "text", text.text))
    return {family[0]: family for family in families}


def test_parsers_take_both_forms_of_no_meters(start, client):
    families = check_parsers(start("[]").http_port, client)
    assert families["metergate_build"][1] == "info" and "metergate_power_watts" not in families


def test_parsers_take_both_forms_of_a_live_and_of_a_stale_meter(mcu, online, client):
    gateway = online(stale_after="3s", name='"a \\"quoted\\" name"')
    wait_until(lambda: gateway.now()["energy_import_kwh"] is not None)
    families = check_parsers(gateway.http_port, client)
    assert families["metergate_power_watts"] == [
        "metergate_power_watts", "gauge", "watts", [["metergate_power_watts", {"meter": "main"}, 17.7]]]
    assert families["metergate_energy_imported_joules"][1:3] == ["counter", "joules"]
    assert families["metergate_meter"][1] == "info"
    assert families["metergate_meter"][3][0][1]["name"] == 'a "quoted" name'
    samples = {name: value for name, _, value in families["metergate_frames_received"][3]}
    start_s = families["process_start_time_seconds"][3][0][2]
    assert 0 <= samples["metergate_frames_received_created"] - start_s < TIMEOUT
    mcu.silence(True)
    gateway.wait_now(power_w=None)
    families = check_parsers(gateway.http_port, client)
    assert "metergate_power_watts" not in families and "metergate_frames_received" in families


def test_parsers_take_both_forms_of_channels(mcu_at, start, meter, client):
    mcu_at(values=CHANNELS, product=None)
    gateway = start([meter(profile="dual-dl02")])
    wait_until(lambda: gateway.now().get("channels", {}).get("b", {}).get("power_w") == 200)
    families = check_parsers(gateway.http_port, client)
    labels = [labels for _, labels, _ in families["metergate_channel_power_watts"][3]]
    assert labels == [{"meter": "main", "channel": "a"}, {"meter": "main", "channel": "b"}]
    if PROMTOOL:
        check_metrics(gateway.http_port)


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

    def start(target, name="prometheus", **authorization):
        port = free_port()
        job = {"job_name": "metergate", "scrape_interval": "1s", "scrape_timeout": "1s",
               "static_configs": [{"targets": ["127.0.0.1:%d" % target]}], **authorization}
        config = tmp_path / ("%s.yml" % name)
        config.write_text(json.dumps({"scrape_configs": [job]}))
        with open(tmp_path / ("%s.log" % name), "wb") as log:
            running.append(subprocess.Popen(
                [PROMETHEUS, "--config.file=%s" % config, "--storage.tsdb.path=%s" % (tmp_path / (name + ".data")),
                 "--web.listen-address=127.0.0.1:%d" % port],
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
    result = wait_until(lambda: query("metergate_power_watts"))[0]
    assert result["value"][1] == "17.7" and gateway.now()["power_w"] == 17.7
    assert result["metric"]["meter"] == "main"
    for expression, value in {"metergate_voltage_volts": "240.3", "metergate_current_amperes": "0.077",
                              "metergate_apparent_power_volt_amperes": "18.503",
                              "metergate_power_factor_ratio": "0.957", "metergate_meter_up": "1"}.items():
        assert wait_until(lambda: [r["value"][1] for r in query(expression)]) == [value], expression
    info = wait_until(lambda: query("metergate_meter_info"))[0]["metric"]
    assert (info["name"], info["protocol"], info["profile"]) == ("House main", "tuyamcu", "pj-mgw1103")
    mcu.report(dp19=250)
    wait_until(lambda: [r["value"][1] for r in query("metergate_power_watts")] == ["25"])
    # The series vanishes with its meter, and is not repeated. A scrape that fails takes the others along.
    mcu.unplug()
    wait_until(lambda: query("metergate_power_watts") == []
               and [r["value"][1] for r in query("metergate_meter_up")] == ["0"])


@pytest.fixture
def plain_text():
    """plain_text(port) is the port of a proxy that passes GETs on without their Accept header: a Prometheus that knows
    no OpenMetrics. Those headers are in plain_text.heard."""
    servers = []

    def make(port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                make.heard.append(self.headers["Accept"])
                answer = fetch(port, self.path)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args):
                pass
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_address[1]

    make.heard = []
    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@needs_prometheus
def test_a_server_takes_both_forms(mcu, online, prometheus, plain_text):
    gateway = online()
    openmetrics, text = prometheus(gateway.http_port), prometheus(plain_text(gateway.http_port), name="text")
    everything = '{__name__=~"metergate_.+",__name__!~".+_created|metergate_http_.+"}'

    def series(query, expression):
        return sorted((r["metric"]["__name__"], sorted((k, v) for k, v in r["metric"].items() if k != "instance"))
                      for r in query(expression))
    wait_until(lambda: openmetrics("metergate_power_watts") and text("metergate_power_watts"))
    assert "application/openmetrics-text" in plain_text.heard[0]
    wait_until(lambda: series(openmetrics, everything) == series(text, everything))
    begun = '{__name__=~"metergate_.+_created"}'
    wait_until(lambda: "metergate_frames_received_created" in dict(series(openmetrics, begun)))
    assert series(text, begun) == []
    # What it asks with gets OpenMetrics from us.
    accept = {"Accept": plain_text.heard[0]}
    assert fetch(gateway.http_port, "/metrics", headers=accept).headers["Content-Type"] == OPENMETRICS


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
