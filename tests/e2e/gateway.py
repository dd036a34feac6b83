"""Runs the metergate binary for a test and talks to it."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import threading
import time

TOP = pathlib.Path(os.environ.get("METERGATE_TOP") or pathlib.Path(__file__).resolve().parents[2])
BINARY = os.environ.get("METERGATE") or str(TOP / "build" / "metergate")
RUN = shlex.split(os.environ.get("METERGATE_RUN", ""))
# What is drawn at random is the same every time, so that a test that fails fails because of what was changed; other
# draws by METERGATE_SEED (make check-random).
SEED = int(os.environ.get("METERGATE_SEED") or 20261121)

# Its remarks are no output of ours; what it finds wrong changes the exit status.
VALGRIND_LINE = re.compile(r"==\d+==")

# Nothing here measures speed: a wait ends when its condition holds, and gives up only when something is broken. Half
# a minute of it may be the gateway's own patience; below valgrind a command of a second takes half a minute.
TIMEOUT = float(os.environ.get("METERGATE_TIMEOUT") or (300 if RUN else 120))


def shared_dir():
    """Captures of real meters, kept beside the project."""
    return pathlib.Path(os.environ.get("METERGATE_SHARED") or TOP / ".." / "shared")


def wait_until(condition, timeout=None, interval=0.02, what=""):
    """The first true value that condition() gives."""
    deadline = time.monotonic() + (timeout or TIMEOUT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError("did not happen in time: %s" % (what or condition.__doc__ or condition))
        time.sleep(interval)


_places = []


def free_port():
    """One that nobody else is given while this process runs: a socket that is bound and does not listen keeps it from
    whoever asks for any port, lets through who asks for this one, and refuses connections."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", 0))
    _places.append(s)
    return s.getsockname()[1]


def command(*args):
    return [*RUN, BINARY, *map(str, args)]


def run(*args, **options):
    """Runs a subcommand to its end."""
    options.setdefault("timeout", TIMEOUT)
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if options["stdin"] is None:
        del options["stdin"]
    result = subprocess.run(command(*args), capture_output=True, text=True, **options)
    result.stderr = "".join(line for line in result.stderr.splitlines(True) if not VALGRIND_LINE.match(line))
    return result


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def content_type(self):
        return (self.headers["Content-Type"] or "").split(";")[0].strip()

    def __repr__(self):
        return "%d %s %r" % (self.status, self.headers["Content-Type"], self.body[:300])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


def fetch(port, path, method="GET", headers=None, body=None, unix=None):
    connection = UnixConnection(unix, TIMEOUT) if unix else http.client.HTTPConnection("127.0.0.1", port, TIMEOUT)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        return Answer(connection.getresponse())


class NotifySocket:
    """The service manager's end of sd_notify."""

    def __init__(self, path):
        self.path = str(path)
        self.messages = []          # (monotonic time, text of one KEY=value)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            data = self._socket.recv(65536)
            if not data:
                return
            with self._changed:
                for line in data.decode().splitlines():
                    self.messages.append((time.monotonic(), line))
                self._changed.notify_all()

    def texts(self):
        with self._changed:
            return [text for _, text in self.messages]

    def wait(self, text, count=1, alive=lambda: True, timeout=None):
        """Until a line has come count times; False when the process ended before."""
        deadline = time.monotonic() + (timeout or TIMEOUT)
        with self._changed:
            while [t for _, t in self.messages].count(text) < count:
                if not alive():
                    return False
                if time.monotonic() >= deadline:
                    raise AssertionError("no %s in time; there was %r" % (text, [t for _, t in self.messages]))
                self._changed.wait(0.1)
        return True

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.path)
        self._thread.join(TIMEOUT)
        self._socket.close()
        os.unlink(self.path)


class Process:
    """The binary as a long-running process, with its stderr in a file."""

    def __init__(self, folder, *args, env=None, name="metergate", prefix=(), pass_fds=(), stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, journal=True):
        self.stderr_path = pathlib.Path(folder) / (name + ".stderr")
        self.status = None
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                                    "JOURNAL_STREAM", "INVOCATION_ID")}
        with open(self.stderr_path, "wb") as stderr:
            if journal:
                # Levels in the log tell an error from a remark.
                about = os.fstat(stderr.fileno())
                environment["JOURNAL_STREAM"] = "%d:%d" % (about.st_dev, about.st_ino)
            environment.update(env or {})
            self.process = subprocess.Popen([*prefix, *command(*args)], stdin=stdin, stdout=stdout, stderr=stderr,
                                            env=environment, pass_fds=pass_fds)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def log(self):
        return self.stderr_path.read_text(errors="replace")

    def log_lines(self):
        """What the program itself said."""
        return [line for line in self.log().splitlines() if not VALGRIND_LINE.match(line)]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        try:
            self.status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("does not end; its log:\n" + self.log())
        return self.status

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def check_log(self, may_fail=False):
        """No error that was not asked for, and nothing from a sanitizer."""
        for line in self.log_lines():
            assert "Sanitizer" not in line and "runtime error:" not in line, self.log()
            if not may_fail:
                assert not line.startswith(("<0>", "<1>", "<2>", "<3>")), self.log()


def open_files(pid):
    """What its descriptors lead to; some may be closed meanwhile."""
    found = []
    for fd in pathlib.Path("/proc/%d/fd" % pid).iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(fd))
    return found


class Lines:
    """Standard output of a process, line by line."""

    def __init__(self, stream):
        self.lines = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(stream,), daemon=True)
        self._thread.start()

    def _run(self, stream):
        for line in stream:
            with self._changed:
                self.lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()

    def wait(self, condition, start=0):
        """The first line from number start on for which condition(line) holds."""
        def found():
            return next((line for line in self.lines[start:] if condition(line)), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, TIMEOUT):
                raise AssertionError("no such line in %r" % self.lines)
            return found()


class Gateway(Process):
    """metergate serve with a configuration of its own, on a free port of 127.0.0.1, and a small history of its own."""

    def __init__(self, folder, meters="[]", http="", extra="", name="gateway", listen=None, config=None, ready=True,
                 may_log_errors=False, env=None, **options):
        folder = pathlib.Path(folder)
        self.http_port = free_port()
        self.listen = '["127.0.0.1:%d"]' % self.http_port if listen is None else listen
        self.http_extra, self.extra = http, extra
        self.history = folder / (name + ".history")
        self.history.mkdir(exist_ok=True)
        self.unix = None
        self.stopped = False
        self.may_log_errors = may_log_errors
        self.config_path = folder / (name + ".yaml")
        self.write_config(config if config is not None else self.config_text(meters))
        self.notify = NotifySocket(folder / (name + ".notify"))
        super().__init__(folder, "serve", "--config", self.config_path, name=name,
                         env={"NOTIFY_SOCKET": self.notify.path, "STATE_DIRECTORY": str(self.history), **(env or {})},
                         **options)
        if ready:
            self.wait_ready()

    def config_text(self, meters):
        text = "http:\n  listen: %s\n" % self.listen
        for line in self.http_extra.splitlines():
            text += "  " + line + "\n"
        text += self.extra
        if isinstance(meters, str):
            return text + "meters: %s\n" % meters
        text += "meters:\n"
        for meter in meters:
            lines = ["%s: %s" % item for item in meter.items()]
            text += "  - " + "\n    ".join(lines) + "\n"
        return text if meters else text + "  []\n"

    def write_config(self, text):
        """Nothing is ever kept outside the test's folder."""
        if not re.search(r"^history:", text, re.MULTILINE):
            text += "history: { directory: %s, size: 2MiB }\n" % self.history
        self.config_path.write_text(text)

    def wait_ready(self):
        if not self.notify.wait("READY=1", alive=self.alive):
            raise AssertionError("ended with %s before it was ready:\n%s" % (self.process.poll(), self.log()))

    def reload(self, meters):
        """Writes a new configuration and asks to read it."""
        self.write_config(meters if isinstance(meters, str) else self.config_text(meters))
        self.signal(signal.SIGHUP)

    def get(self, path, method="GET", headers=None, body=None):
        return fetch(self.http_port, path, method, headers, body, self.unix)

    def json(self, path):
        """As every client is told to, it asks again while the history is still being read."""
        answer = wait_until(lambda: self.settled(path))
        assert answer.status == 200, "%s: %r" % (path, answer)
        return answer.json

    def settled(self, path):
        """The answer, or None for "try again soon"."""
        answer = self.get(path)
        return None if answer.status == 503 and b"the history is being read" in answer.body else answer

    def now(self, meter="main"):
        return self.json("/api/v1/meters/%s/now" % meter)

    def wait_history(self):
        """Until the file has been read, or made."""
        wait_until(lambda: self.json("/healthz")["history"] != "reading")

    def diagnostics(self, meter="main"):
        return self.json("/api/v1/meters/%s/diagnostics" % meter)

    def datapoints(self, meter="main"):
        answer = self.json("/api/v1/meters/%s/datapoints" % meter)
        return {d["dp"]: d for d in answer["datapoints"]}

    def counter(self, name, meter="main"):
        d = self.diagnostics(meter)
        for group in ("counters", "framing", "link", "withheld"):
            if name in d[group]:
                return d[group][name]
        raise KeyError(name)

    def wait_now(self, meter="main", **values):
        """Until /now shows these values."""
        seen = {}

        def shows():
            seen.update(self.now(meter))
            return all(seen.get(k) == v for k, v in values.items()) and dict(seen)

        with contextlib.suppress(AssertionError):
            return wait_until(shows)
        raise AssertionError("/now never showed %r, at the end %r\n%s" % (values, seen, self.log()))

    def wait_log(self, *words):
        """The first log line with all of these words."""
        def found():
            return next((line for line in self.log_lines() if all(w.lower() in line.lower() for w in words)), None)

        with contextlib.suppress(AssertionError):
            return wait_until(found)
        raise AssertionError("no log line with %r:\n%s" % (words, self.log()))

    def crash(self):
        """kill -9."""
        self.stopped = True
        self.kill()
        self.notify.close()

    def stop(self):
        """The polite end: exit status 0, and nothing in the log to be ashamed of."""
        if self.stopped:
            return
        self.stopped = True
        try:
            assert self.alive(), "ended by itself with %s:\n%s" % (self.process.poll(), self.log())
            self.signal(signal.SIGTERM)
            assert self.wait() == 0, self.log()
            self.check_log(self.may_log_errors)
        finally:
            self.kill()
            self.notify.close()


class Collector:
    """Asks for the current values all the time, and keeps every one that was ever served."""

    def __init__(self, gateway, meter="main", series="voltage_v"):
        self.gateway, self.meter, self.series = gateway, meter, series
        self.served = {}            # key -> set of values, None included
        self.rounds = 0
        self.error = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        """Asks once more, so that what is served at the end has been seen however slow the thread was."""
        self._stop.set()
        self._thread.join(TIMEOUT)
        if any(error):
            return
        if self.error:
            raise self.error
        self._ask()

    def wait_rounds(self, count=3):
        """Until everything that is served now has been seen so often."""
        before = self.rounds
        wait_until(lambda: self.rounds > before + count or self.error)

    def _run(self):
        try:
            while not self._stop.is_set():
                self._ask()
                self.rounds += 1
                self._stop.wait(0.01)
        except Exception as error:
            self.error = error

    def _ask(self):
        base = "/api/v1/meters/%s" % self.meter
        for key, value in self.gateway.json(base + "/now").items():
            self.served.setdefault(key, set()).add(value)
        for key, reading in self.gateway.json(base)["readings"].items():
            self.served.setdefault(key, set()).add(reading["value"])
        text = self.gateway.get(base + "/now/" + self.series).text.strip()
        self.served.setdefault(self.series, set()).add(None if text == "null" else json.loads(text))

    def values(self, key):
        """What was served for this key, the nulls aside."""
        return self.served.get(key, set()) - {None}
