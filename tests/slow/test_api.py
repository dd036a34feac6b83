"""The API against its own document: Schemathesis tries to find where they differ, and a linter reads the document."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from gateway import SEED, TOP, Gateway, Process, fetch, wait_until
from vue import VueSimulator

FILES = TOP / "tests" / "api"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "metergate"
ACCESS = ["open", "token"]
EXAMPLES = 500       # of every operation that takes anything; schemathesis.toml asks for some more
METERS = {"main": "tuyamcu", "three": "tuyamcu", "utility": "vue", "never": "tuyamcu", "stranger": "tuyamcu"}
LEFT_OUT = ["/api/v1/stream"]
TOKEN = "control-secret-of-a-test"


def last_line(output):
    return (output.strip().splitlines() or ["it said nothing"])[-1]


@contextlib.contextmanager
def installed(name, *sources):
    """A folder for what these files ask for; yields it and whether it is complete. The folder outlives the test."""
    content = b"".join(s.read_bytes() for s in sources) + sys.version.encode()
    folder = CACHE / ("%s-%s" % (name, hashlib.sha256(content).hexdigest()[:16]))
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / (name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = folder / "complete"
        if not complete.exists():
            for old in CACHE.glob(name + "-*"):
                shutil.rmtree(old)
            folder.mkdir()
        yield folder, complete


def install(folder, *command):
    result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        pytest.skip("%s: %s" % (" ".join(map(str, command[:3])), last_line(result.stdout)))


@pytest.fixture(scope="module")
def schemathesis():
    requirements = FILES / "requirements.txt"
    with installed("schemathesis", requirements) as (folder, complete):
        python = folder / "bin" / "python"
        if not complete.exists():
            install(folder, sys.executable, "-m", "venv", folder)
            install(folder, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "-r", requirements)
            complete.touch()
    return [python, "-m", "schemathesis.cli"]


@pytest.fixture(scope="module")
def spectral():
    sources = FILES / "package.json", FILES / "package-lock.json"
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    with installed("spectral", *sources) as (folder, complete):
        if not complete.exists():
            for source in sources:
                shutil.copy(source, folder)
            install(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            complete.touch()
    return folder / "node_modules" / ".bin" / "spectral"


class Site:
    """A gateway with five meters, one of which is never found and one that no profile knows, and a history."""

    def __init__(self, folder, access):
        self.folder, self.access = folder, access
        self.others = [
            Process(folder, "simulate", "tuyamcu", "--link", folder / "main", name="main", stdin=subprocess.PIPE),
            Process(folder, "simulate", "tuyamcu", "--link", folder / "three", "--profile", "dts238-7-3p",
                    name="three", stdin=subprocess.PIPE),
            Process(folder, "simulate", "tuyamcu", "--link", folder / "stranger", "--product", "unknown7",
                    name="stranger", stdin=subprocess.PIPE)]
        self.vue = VueSimulator(folder, "utility")
        (folder / "tokens").write_text("control %s\n" % TOKEN)
        meters = [{"id": name, "protocol": protocol, "port": folder / name, "poll": "5s"}
                  for name, protocol in METERS.items()]
        meters[1]["profile"] = "dts238-7-3p"
        self.gateway = Gateway(folder, meters, http="access: %s\ntokens: %s" % (access, folder / "tokens"),
                               extra="tariffs:\n  - { name: all, price: 0.28, currency: EUR }\n", may_log_errors=True)
        wait_until(lambda: all(self.get("/api/v1/meters/%s/now" % name).json["available"]
                               for name in METERS if name not in ("never", "stranger")))
        wait_until(lambda: self.get("/healthz").json["history"] == "ready")

    def get(self, path):
        return fetch(self.gateway.http_port, path, headers={"Authorization": "Bearer " + TOKEN})

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.gateway.http_port

    def requests(self):
        """How many requests each route has had."""
        counts = {}
        for route, count in re.findall(r'metergate_http_requests_total\{route="([^"]*)",code="\d+"\} (\d+)',
                                       self.get("/metrics").text):
            counts[route] = counts.get(route, 0) + int(count)
        return counts

    def stop(self):
        self.gateway.stop()
        self.vue.stop()
        for process in self.others:
            process.kill()


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """One that everybody may read and one where all needs a token."""
    made = {}
    with contextlib.ExitStack() as stack:
        for access in ACCESS:
            made[access] = Site(tmp_path_factory.mktemp(access), access)
            stack.callback(made[access].stop)
        yield made


@pytest.fixture(scope="module")
def runs(schemathesis, sites):
    """Schemathesis against each of them, at the same time. It has one worker each: with more, operations that are
    tried at the same moment end early without a word."""
    started = {}
    for access, site in sites.items():
        shutil.copy(FILES / "hooks.py", site.folder)
        # Whoever waits for an answer beside them goes first.
        command = ["nice", *schemathesis, "--config-file", FILES / "schemathesis.toml", "run", "--no-color",
                   "--seed", str(SEED), site.url + "/api/v1/openapi.json"]
        if access == "token":
            command += ["--header", "Authorization: Bearer " + TOKEN]
        with open(site.folder / "schemathesis.log", "w") as log:
            started[access] = subprocess.Popen(command, cwd=site.folder, stdin=subprocess.DEVNULL, stdout=log,
                                               stderr=subprocess.STDOUT)
    yield {access: (process.wait(), "METERGATE_SEED=%s\n" % SEED +
                    (sites[access].folder / "schemathesis.log").read_text()) for access, process in started.items()}


@pytest.mark.parametrize("access", ACCESS)
def test_schemathesis_finds_nothing(runs, sites, access):
    status, output = runs[access]
    print(output)
    # It goes on without a worker that died, and is content.
    assert status == 0 and "Exception in thread" not in output
    assert sites[access].gateway.alive()


@pytest.mark.parametrize("access", ACCESS)
def test_schemathesis_tried_everything(runs, sites, access):
    counts = sites[access].requests()
    paths = sites[access].get("/api/v1/openapi.json").json["paths"]
    for path, item in paths.items():
        takes_anything = any("parameters" in operation or "requestBody" in operation for operation in item.values())
        if path not in LEFT_OUT:
            assert counts.get(path, 0) >= (EXAMPLES if takes_anything else 1), (path, counts)


@pytest.mark.parametrize("access", ACCESS)
def test_linter_finds_nothing(spectral, sites, access):
    site = sites[access]
    document = site.folder / "openapi.json"
    document.write_bytes(site.get("/api/v1/openapi.json").body)
    result = subprocess.run([spectral, "lint", "--ruleset", FILES / "spectral.yaml", "--fail-severity", "hint",
                             document], cwd=site.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    print(result.stdout)
    assert result.returncode == 0 and "No results" in result.stdout
