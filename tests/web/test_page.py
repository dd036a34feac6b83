"""The dashboard in a real browser, driven over its debugging pipe, with every kind of meter and trouble."""
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from gateway import TIMEOUT, Process, fetch, free_port, wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--disable-extensions", "--mute-audio", "--remote-debugging-pipe"]


class Browser:
    """One page. Messages are JSON with a NUL behind each, on descriptors 3 and 4 of the browser."""

    def __init__(self, folder):
        from_browser, browser_out = os.pipe()
        browser_in, to_browser = os.pipe()
        # Clear of 3 and 4, or one dup2 would close what the other needs.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (browser_in, browser_out)]
        code = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
                "os.execv(sys.argv[3], sys.argv[3:])")
        with open(os.path.join(folder, "browser.log"), "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, str(ends[0]), str(ends[1]), CHROMIUM, *FLAGS,
                 "--user-data-dir=%s" % os.path.join(folder, "profile"), "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=ends, start_new_session=True,
                env={**os.environ, "HOME": str(folder)})
        for fd in (browser_in, browser_out, *ends):
            os.close(fd)
        self._to, self._from = os.fdopen(to_browser, "wb", 0), os.fdopen(from_browser, "rb", 0)
        self._changed = threading.Condition()
        self._answers, self.events, self._next = {}, [], 1
        threading.Thread(target=self._run, daemon=True).start()
        target = wait_until(lambda: [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"])
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(domain + ".enable")

    session = None

    def _run(self):
        buffer = b""
        while data := self._from.read(65536):
            *messages, buffer = (buffer + data).split(b"\0")
            with self._changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self._changed.notify_all()

    def call(self, method, **parameters):
        with self._changed:
            number, self._next = self._next, self._next + 1
            message = {"id": number, "method": method, "params": parameters}
            if self.session:
                message["sessionId"] = self.session
            self._to.write(json.dumps(message).encode() + b"\0")
            if not self._changed.wait_for(lambda: number in self._answers, TIMEOUT):
                raise AssertionError("the browser does not answer %s" % method)
            answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)
        wait_until(lambda: self.evaluate("document.readyState") == "complete")

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                         awaitPromise=True)["result"].get("value")

    def text(self):
        return self.evaluate("document.body.innerText") or ""

    def complaints(self):
        """Errors and warnings of the console, exceptions, and requests that failed."""
        found = []
        with self._changed:
            for event in self.events:
                what, about = event["method"], event["params"]
                if what == "Runtime.exceptionThrown":
                    found.append(about["exceptionDetails"])
                elif what == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
                    found.append(about)
                elif what == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                    found.append(about["entry"])
        return found

    def requested(self):
        with self._changed:
            return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def close(self):
        try:
            self.call("Target.getTargets")
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        # Its children still write into the profile for a moment.
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        self._to.close()


@pytest.fixture
def browser(tmp_path):
    b = Browser(tmp_path)
    yield b
    b.close()


def open_page(browser, gateway):
    """While the history is being read its answers are 503, about which the browser itself says a word."""
    gateway.wait_history()
    browser.open("http://127.0.0.1:%d/" % gateway.http_port)


def shows(text, number, places):
    """The number as a person reads it, with at least so many of its decimal places."""
    return format(number, ",.%df" % places) in text.replace("\u2212", "-")


def test_page_shows_what_now_serves(mcu, online, browser):
    gateway = online(name="House main")
    open_page(browser, gateway)
    text = wait_until(lambda: (t := browser.text()) and shows(t, 17.7, 1) and shows(t, 240.3, 1) and t)
    assert "House main" in text and "online" in text.lower()
    assert shows(text, 0.077, 3)
    mcu.report(dp19=12345)
    wait_until(lambda: re.search(r"1[  ,.]?234[.,]5|1[.,]23", browser.text()), what="the new power on the page")
    assert browser.complaints() == []
    assert all(url.startswith(("http://127.0.0.1:%d/" % gateway.http_port, "data:", "about:", "blob:"))
               for url in browser.requested())


def test_page_shows_that_a_meter_is_gone(mcu, online, browser):
    gateway = online(stale_after="3s")
    open_page(browser, gateway)
    wait_until(lambda: shows(browser.text(), 17.7, 1))
    mcu.unplug()
    gateway.wait_now(state="offline", power_w=None)
    wait_until(lambda: not shows(browser.text(), 17.7, 1) and "offline" in browser.text().lower())
    mcu.replug()
    wait_until(lambda: shows(browser.text(), 17.7, 1))
    assert browser.complaints() == []


def test_page_shows_notices(mcu_at, start, meter, browser):
    """A power ten times too high is shown as it is, with a word about it."""
    mcu = mcu_at(values={18: 1000, 19: 23000, 20: 2300})
    gateway = start([meter()])
    gateway.wait_now(power_w=2300)
    open_page(browser, gateway)
    wait_until(lambda: shows(browser.text(), 2300, 1))
    wait_until(lambda: "Active power is ten times" in browser.text())
    mcu.report(dp19=2300)
    wait_until(lambda: shows(browser.text(), 230, 1))
    assert browser.complaints() == []


@pytest.fixture
def radio_module(tmp_path):
    """radio_module("--solar") runs a simulated one behind the port tmp_path/utility."""
    running = []

    def run(*options):
        running.append(Process(tmp_path, "simulate", "vue", "--link", tmp_path / "utility", *options, name="module"))
        wait_until((tmp_path / "utility").exists)

    yield run
    for module in running:
        module.signal(signal.SIGTERM)
        module.wait()


def test_page_shows_a_radio_module(radio_module, start, meter, browser):
    """Power with its direction, both totals, and behind a click what the module is and prints; never its secret."""
    radio_module("--chatter", "20", "--solar")
    gateway = start([meter(id="utility", protocol="vue", poll="5s", baud=None)])
    wait_until(lambda: gateway.now("utility")["energy_export_kwh"] is not None)
    open_page(browser, gateway)
    text = wait_until(lambda: (t := browser.text()) and re.search("(from|to) the grid", t) and t)

    def shows_total(key):
        """Both move on, the page a moment later."""
        return re.search(r"\b%s\.\d{3}\skWh" % format(int(gateway.now("utility")[key]), ","), browser.text())
    for key in ("energy_import_kwh", "energy_export_kwh"):
        wait_until(lambda: shows_total(key), what="%s on the page" % key)
    assert "Emporia Vue Utility Connect" in text and "Multiplier" not in text
    browser.evaluate("location.hash = '#meters?meter=utility'")
    wait_until(lambda: browser.evaluate("document.querySelectorAll('details.card').length >= 4"))

    def opened():
        """The text with all that can be unfolded, whenever it came."""
        browser.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        return browser.text()
    text = wait_until(lambda: (t := opened()) and "Install code" in t and "Got Meter Rsp" in t and
                      "0x0400" in t and t)
    assert "70:B3:D5:EB:8" in text and "shown only to a control token" in text
    assert browser.complaints() == []


def test_page_of_a_module_without_a_network(radio_module, start, meter, browser):
    radio_module("--state", "unprovisioned")
    gateway = start([meter(id="utility", protocol="vue", poll="5s", baud=None)])
    wait_until(lambda: gateway.now("utility")["state"] == "not_provisioned")
    open_page(browser, gateway)
    text = wait_until(lambda: (t := browser.text()) and "utility network" in t and t)
    assert "not provisioned" in text and "install code" in text and "power not known" in text
    assert browser.complaints() == []


def test_page_without_meters(start, browser):
    gateway = start("[]")
    open_page(browser, gateway)
    wait_until(lambda: "meter" in browser.text().lower())
    assert browser.complaints() == []


def test_page_when_the_gateway_goes_away(mcu, online, browser):
    """It says so, and does not go on showing the last values."""
    gateway = online()
    open_page(browser, gateway)
    wait_until(lambda: shows(browser.text(), 17.7, 1))
    gateway.stop()
    wait_until(lambda: "not connected" in browser.text())
    wait_until(lambda: not shows(browser.text(), 17.7, 1))


def test_page_asks_for_a_token(start, meter, tmp_path, browser):
    tokens = tmp_path / "tokens"
    tokens.write_text("read a-token-of-some-length\n")
    tokens.chmod(0o600)
    gateway = start([meter(name="House main")], http="access: token\ntokens: %s" % tokens)
    open_page(browser, gateway)
    wait_until(lambda: browser.evaluate("document.getElementById('login') !== null"))
    assert "House main" not in browser.text()
    browser.evaluate("document.getElementById('token').value = 'a-token-of-some-length';"
                     "document.getElementById('login').requestSubmit()")
    wait_until(lambda: "House main" in browser.text())


def test_page_of_the_demo(tmp_path, browser):
    port = free_port()
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % port)
    try:
        def live():
            try:
                return [m for m in fetch(port, "/api/v1/meters").json["meters"]
                        if m["available"] and "voltage_v" in m["readings"]]
            except OSError:
                return []
        meters = wait_until(live)
        wait_until(lambda: fetch(port, "/healthz").json["history"] == "ready")
        browser.open("http://127.0.0.1:%d/" % port)
        wait_until(lambda: meters[0]["name"] in browser.text())

        def agrees():
            now = fetch(port, "/api/v1/meters/%s/now" % meters[0]["id"]).json
            return now["voltage_v"] is not None and shows(browser.text(), now["voltage_v"], 1)
        wait_until(agrees)
        assert browser.complaints() == []
    finally:
        process.signal(signal.SIGINT)
        assert process.wait() == 0
