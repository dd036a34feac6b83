"""What is ready-made for operators: scrape configuration, rules and alerts before promtool, and the Grafana dashboard,
each of whose queries has to find something in a real Prometheus that scraped the demo."""
import json
import re
import shutil
import subprocess
import urllib.parse

import pytest

from gateway import BINARY, TIMEOUT, TOP, Process, fetch, free_port, wait_until

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not installed")

PACK = TOP / "etc" / "prometheus"
DASHBOARD = TOP / "etc" / "grafana" / "metergate.json"

# Those of the demo's meters that have no channels.
ABSENT = ("metergate_channel_",)


def promtool(*args):
    result = subprocess.run([PROMTOOL, *args], capture_output=True, text=True, timeout=10 * TIMEOUT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def uncommented(text):
    """The configuration with its variants (token, TLS, files) in place: what was "# key:" is "key:"."""
    return "".join(re.sub(r"^    # (?=\w+:$|  \w|  - |scheme: )", "    ", line) + "\n" for line in text.splitlines())


@needs_promtool
def test_configuration(tmp_path):
    assert "2 rule files found" in promtool("check", "config", PACK / "prometheus.yml")
    for path in PACK.glob("*.yml"):
        shutil.copy(path, tmp_path)
    for name in ("metergate.token", "metergate-ca.pem"):
        (tmp_path / name).write_text("x\n")
    text = uncommented((PACK / "prometheus.yml").read_text()).replace("/etc/prometheus/", "%s/" % tmp_path)
    (tmp_path / "prometheus.yml").write_text(text)
    for word in ("\n    authorization:\n      credentials_file:", "\n    scheme: https\n    tls_config:\n      ca_file:",
                 "\n    file_sd_configs:\n      - files:"):
        assert word in text, word
    promtool("check", "config", "--syntax-only", tmp_path / "prometheus.yml")


@needs_promtool
def test_rules():
    tests = TOP / "tests" / "prometheus"
    assert "SUCCESS" in promtool("check", "rules", PACK / "metergate-records.yml", PACK / "metergate-alerts.yml")
    promtool("test", "rules", tests / "rules.yml", tests / "rules-month.yml")


@needs_promtool
def test_every_alert_and_record_is_tested():
    tests = "".join(path.read_text() for path in (TOP / "tests" / "prometheus").glob("*.yml"))
    alerts = re.findall(r"- alert: (\w+)", (PACK / "metergate-alerts.yml").read_text())
    records = re.findall(r"- record: (\S+)", (PACK / "metergate-records.yml").read_text())
    assert len(alerts) >= 9 and len(records) >= 9
    for alert in alerts:
        assert len(re.findall(r"alertname: %s\b" % alert, tests)) >= 2, alert
    for record in records:
        # One of the two energies stands for both where they are told by the same expression.
        assert record in tests or record.replace("exported", "imported") in tests, record


@needs_promtool
def test_the_past_goes_into_prometheus(tmp_path):
    """What docs/prometheus.md says: every value of an export is in the blocks, with its time."""
    history, exported, blocks = tmp_path / "history", tmp_path / "main.om", tmp_path / "blocks"
    start_ms = 1795255200000
    rows = [(start_ms + 1000 * i, "%d.5" % (i - 100), "%d.25" % i) for i in range(300)]
    (tmp_path / "main.csv").write_text("t_ms,power_w,energy_import_kwh\n" + "".join("%d,%s,%s\n" % r for r in rows))
    for args in (["import", "--directory", history, "--meter", "main", tmp_path / "main.csv"],
                 ["export", "--directory", history, "--meter", "main", "--format", "openmetrics", "--out", exported]):
        subprocess.run([BINARY, "history", *args], check=True, timeout=TIMEOUT)
    promtool("tsdb", "create-blocks-from", "openmetrics", exported, blocks)
    # Without a folder for what has not become a block yet it refuses.
    (blocks / "wal").mkdir()
    found = {}
    for line in promtool("tsdb", "dump", blocks).splitlines():
        name, value, time_ms = re.match(r"\{__name__=\"(\w+)\", meter=\"main\"\} (\S+) (\d+)$", line).groups()
        found.setdefault(name, []).append((int(time_ms), float(value)))
    assert found == {"metergate_power_watts": [(t, float(w)) for t, w, _ in rows],
                     "metergate_energy_imported_joules_total": [(t, float(kwh) * 3.6e6) for t, _, kwh in rows]}


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def test_dashboard_is_one():
    board = dashboard()
    assert board["schemaVersion"] >= 36 and board["title"] == "Metergate" and "id" not in board
    variables = {v["name"]: v for v in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= set(variables) | {"__rate_interval"}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """query(path, ...) of a Prometheus that has the rules and scrapes the demo every second."""
    folder = tmp_path_factory.mktemp("scraped")
    target, port = free_port(), free_port()
    demo = Process(folder, "demo", "--listen", "127.0.0.1:%d" % target)
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"evaluation_interval": "1s"},
        "rule_files": [str(path) for path in PACK.glob("metergate-*.yml")],
        "scrape_configs": [{"job_name": "metergate", "scrape_interval": "1s", "scrape_timeout": "1s",
                            "static_configs": [{"targets": ["127.0.0.1:%d" % target]}]}]}))
    with open(folder / "prometheus.log", "wb") as log:
        server = subprocess.Popen([PROMETHEUS, "--config.file=%s" % (folder / "prometheus.yml"),
                                   "--storage.tsdb.path=%s" % (folder / "data"),
                                   "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)

    def ask(path, **parameters):
        try:
            answer = fetch(port, "/api/v1/%s?%s" % (path, urllib.parse.urlencode(parameters)))
        except OSError:
            return {"status": "error"}
        # A server that begins says so in plain text.
        return answer.json if answer.content_type == "application/json" else {"status": "error"}
    yield ask
    server.terminate()
    try:
        server.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    demo.kill()


def filled_in(expression):
    """As Grafana asks when everything is chosen."""
    return re.sub(r"\$(meter|instance|job)\b", ".*", expression).replace("$__rate_interval", "1m")


@needs_prometheus
def test_every_query_of_the_dashboard_finds_something(scraped):
    def found(expression):
        answer = scraped("query", query=expression)
        return answer["status"] == "success" and answer["data"]["result"]
    for panel in panels():
        for target in panel["targets"]:
            expression = filled_in(target["expr"])
            if any(name in expression for name in ABSENT):
                assert scraped("query", query=expression)["status"] == "success", expression
            else:
                wait_until(lambda: found(expression), what="%s: %s" % (panel["title"], expression))
    for variable in dashboard()["templating"]["list"]:
        wanted = re.match(r"label_values\((.+), (\w+)\)$", variable.get("definition", ""))
        if wanted:
            labels = scraped("label/%s/values" % wanted[2], **{"match[]": filled_in(wanted[1])})
            assert labels["status"] == "success" and labels["data"], variable["name"]


@needs_prometheus
def test_the_rules_work_on_the_demo(scraped):
    wait_until(lambda: scraped("query", query="metergate:energy_imported_kwh").get("data", {}).get("result"))
    rules = [rule for group in scraped("rules")["data"]["groups"] for rule in group["rules"]]
    assert len(rules) >= 18 and not [rule["name"] for rule in rules if rule["health"] == "err"]
    assert [alert["labels"]["alertname"] for alert in scraped("alerts")["data"]["alerts"]
            if alert["state"] == "firing"] == []
