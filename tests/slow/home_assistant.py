"""Home Assistant itself, from PyPI, for tests: an environment of its own that is kept, a configuration of its own
that is not, and the ways to ask it."""
import base64
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from gateway import TIMEOUT, TOP, free_port, wait_until

sys.path.insert(0, str(TOP / "etc" / "home-assistant"))
from metergate_statistics import HomeAssistant as Connection  # noqa: E402

# What the tests use, with everything that it needs.
COMPONENTS = ("api", "auth", "energy", "history", "http", "recorder", "rest", "sensor", "websocket_api")

# What Home Assistant installs by itself while it runs, which it may not do here, and what its own requirements leave
# open that has broken it since.
EXTRAS = ("josepy<2", "jsonpath", "xmltodict")

INSTALL_TIMEOUT = 1800
START_TIMEOUT = 180

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (\w+) \(([^)]*)\) \[([^]]*)\] (.*)$")

# Of the Python that it runs on, of libraries and CPU features that would make it faster, and of a busy machine.
ITS_OWN_LOGGERS = ("aiohttp_fast_zlib",)
ITS_OWN_WORDS = re.compile("running Python version|will be sub-optimal|is taking over|Waiting (on|for) integrations")


class Unavailable(Exception):
    """Why Home Assistant cannot be here."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "metergate"


def base_python():
    """METERGATE_HA_PYTHON names another one: newer versions of Home Assistant need newer ones."""
    return os.environ.get("METERGATE_HA_PYTHON") or sys.executable


def run_or_give_up(what, *args):
    try:
        result = subprocess.run(args, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("%s: %s" % (what, error)) from error
    if result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip() or "no reason given").splitlines()
        raise Unavailable("%s: %s" % (what, said[-1]))
    return result.stdout.strip()


# Requirements of the components and of what they depend on, as their manifests have them.
LIST_REQUIREMENTS = """
import json, pathlib, sys, homeassistant
folder = pathlib.Path(homeassistant.__file__).parent / "components"
seen, open_ = set(), sys.argv[1:]
while open_:
    name = open_.pop()
    path = folder / name / "manifest.json"
    if name in seen or not path.exists():
        continue
    seen.add(name)
    manifest = json.loads(path.read_text())
    open_ += manifest.get("dependencies", [])
    print(*manifest.get("requirements", []), sep="\\n")
"""


def install(folder, base):
    run_or_give_up("python3 -m venv", base, "-m", "venv", "--clear", str(folder))
    python = str(folder / "bin" / "python")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run_or_give_up("pip", *pip, "homeassistant", *EXTRAS)
    listed = run_or_give_up("manifests", python, "-c", LIST_REQUIREMENTS, *COMPONENTS)
    needed = sorted({line for line in listed.splitlines() if line and "home-assistant-frontend" not in line})
    if needed:
        run_or_give_up("pip", *pip, *needed)
    run_or_give_up("import", python, "-c", "import homeassistant.__main__, sqlalchemy, aiohttp")


def environment():
    """The Python that has Home Assistant; made when it is not there, and kept."""
    base = base_python()
    version = run_or_give_up("python", base, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    folder = cache_folder() / ("home-assistant-python" + version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(str(folder) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            try:
                install(folder, base)
            except Unavailable:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / "complete").write_text("%s\n" % time.strftime("%F"))
    return folder / "bin" / "python"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def web_token(claims, key):
    head = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = head + b"." + encoded(json.dumps(claims).encode())
    return (body + b"." + encoded(hmac.new(key.encode(), body, hashlib.sha256).digest())).decode()


class HomeAssistant:
    """One with a configuration of its own in folder. It goes on in the same folder after stop() and start()."""

    def __init__(self, folder, python, package=None):
        self.folder, self.python = pathlib.Path(folder), python
        self.port = free_port()
        self.process = None
        (self.folder / "packages").mkdir(parents=True)
        (self.folder / ".storage").mkdir()
        (self.folder / "configuration.yaml").write_text(
            "homeassistant:\n  name: Test\n  latitude: 52\n  longitude: 21\n  elevation: 0\n"
            "  unit_system: metric\n  time_zone: Europe/Warsaw\n  country: PL\n  currency: EUR\n"
            "  packages: !include_dir_named packages\n"
            "api:\nenergy:\nhistory:\nrecorder:\n  commit_interval: 0\n"
            "http:\n  server_host: 127.0.0.1\n  server_port: %d\n" % self.port)
        (self.folder / "secrets.yaml").write_text("")
        self.token = self.write_user()
        if package is not None:
            self.write_package(package)

    def write_package(self, text):
        (self.folder / "packages" / "metergate.yaml").write_text(text)

    def write_secret(self, name, value):
        (self.folder / "secrets.yaml").write_text("%s: %s\n" % (name, json.dumps(value)))

    def write_user(self):
        """An owner whose token is good for the test, so that nobody has to click through the first steps."""
        user, token, key = secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(64)
        born = "2026-01-01T00:00:00.000000+00:00"
        group = "system-admin"
        data = {
            "users": [{"id": user, "group_ids": [group], "is_owner": True, "is_active": True, "name": "Owner",
                       "system_generated": False, "local_only": False}],
            "groups": [{"id": group, "name": "Administrators"}, {"id": "system-users", "name": "Users"},
                       {"id": "system-read-only", "name": "Read Only"}],
            "credentials": [],
            "refresh_tokens": [{"id": token, "user_id": user, "client_id": None, "client_name": "test",
                                "client_icon": None, "token_type": "long_lived_access_token", "created_at": born,
                                "access_token_expiration": 315360000.0, "token": secrets.token_hex(64),
                                "jwt_key": key, "last_used_at": None, "last_used_ip": None, "credential_id": None,
                                "version": None, "expire_at": None}],
        }
        (self.folder / ".storage" / "auth").write_text(
            json.dumps({"version": 1, "minor_version": 1, "key": "auth", "data": data}))
        now = int(time.time())
        return web_token({"iss": token, "iat": now - 3600, "exp": now + 86400 * 365}, key)

    def start(self):
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(self.python), "-m", "homeassistant", "--config", str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder)
        wait_until(self.is_running, timeout=START_TIMEOUT, interval=0.1, what="Home Assistant runs\n" + self.log())

    def is_running(self):
        assert self.process.poll() is None, "Home Assistant has ended:\n" + self.log()
        try:
            return self.get("/api/config")["state"] == "RUNNING"
        except (OSError, http.client.HTTPException, KeyError):
            return False

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(TIMEOUT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Authorization": "Bearer " + self.token})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise KeyError("%s: %d %r" % (path, answer.status, body[:200]))
            return json.loads(body)
        finally:
            connection.close()

    def connect(self):
        """A WebSocket connection, to be used with `with`."""
        return Connection("http://127.0.0.1:%d" % self.port, self.token)

    def call(self, type, **arguments):
        with self.connect() as connection:
            return connection.call(type, **arguments)

    def states(self):
        return {s["entity_id"]: s for s in self.get("/api/states")}

    def state(self, entity):
        return self.get("/api/states/" + entity)["state"]

    def entities(self):
        """Entity ids by our unique ids. One is registered a moment before it has a state, and counts from then on."""
        registered, states = self.call("config/entity_registry/list"), self.states()
        return {e["unique_id"]: e["entity_id"] for e in registered
                if e["platform"] == "rest" and e["entity_id"] in states}

    def log(self):
        path = self.folder / "home-assistant.log"
        return path.read_text(errors="replace") if path.exists() else (self.folder / "output").read_text()

    def complaints(self):
        """Warnings and errors, without what it says of the machine that it runs on."""
        return [line for line in self.log().splitlines() if (m := LINE.match(line))
                and m[1] not in ("INFO", "DEBUG") and m[3] not in ITS_OWN_LOGGERS and not ITS_OWN_WORDS.search(m[4])]

    def database(self, query, *values):
        path = self.folder / "home-assistant_v2.db"
        connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def recorded(self, entity):
        """Every state that it has written down, oldest first."""
        return [row[0] for row in self.database(
            "SELECT s.state FROM states s JOIN states_meta m ON s.metadata_id = m.metadata_id "
            "WHERE m.entity_id = ? ORDER BY s.state_id", entity)]

    def statistics(self, entity, table="statistics_short_term"):
        """(start, state, sum) of each period, oldest first."""
        return self.database(
            "SELECT s.start_ts, s.state, s.sum FROM %s s JOIN statistics_meta m ON s.metadata_id = m.id "
            "WHERE m.statistic_id = ? ORDER BY s.start_ts" % table, entity)
