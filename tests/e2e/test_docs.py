"""Every example of the documentation is asked of a running gateway, and its answer has the form that is printed."""
import contextlib
import re
import shlex
import shutil
import subprocess
import time

import pytest

from examples import compare_texts, examples
from gateway import TIMEOUT, TOP, Gateway, Lines, Process, run, wait_until
from vue import VueSimulator

# One page is a story, whose steps need each other: test_workbench_story.py tells it.
PAGES = [TOP / "README.md", *sorted(page for page in (TOP / "docs").glob("*.md") if page.stem != "reverse-engineering")]
EXAMPLES = [e for page in PAGES for e in examples(page) if e.command.startswith("curl ")]
SERVER = "http://127.0.0.1:8730"
CURL = shutil.which("curl")
STREAM_S = 8         # how long an answer that does not end is listened to

HEADER = ("t_ms,voltage_v,current_a,power_w,apparent_power_va,reactive_power_var,power_factor,energy_import_kwh,"
          "energy_export_kwh")
STEP_MS = 300000

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not there")


def past():
    """Two days, up to a few minutes ago."""
    end = int(time.time() * 1000) // STEP_MS * STEP_MS - STEP_MS
    yield HEADER
    for i in range(2 * 288):
        yield "%d,230,0.5,103.5,115,50.13,0.9,%.6f,0" % (end - (2 * 288 - i) * STEP_MS, i * 0.008625)


def fill(directory, meter, text):
    result = run("history", "import", "--directory", directory, "--meter", meter, "--size", "2MiB", "-", input=text)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The demo's meters, with a past, prices and a token."""
    folder = tmp_path_factory.mktemp("docs")
    fill(folder / "kept", "utility", "t_ms,power_w\n%d,-1876\n" % (int(time.time() - 300) * 1000))
    fill(folder / "kept", "main", "\n".join(past()))
    (folder / "tokens").write_text("control TOKEN\n")
    meters = [{"id": "main", "name": "House main (simulated)", "protocol": "tuyamcu", "port": folder / "main"},
              {"id": "utility", "name": "Utility meter", "protocol": "vue", "port": folder / "utility", "poll": "5s"}]
    with contextlib.ExitStack() as stack:
        for name, *options in (("main",), ("plug", "--profile", "plug-standard"),
                               ("stranger", "--profile", "plug-standard", "--product", "unknown7")):
            simulator = Process(folder, "simulate", "tuyamcu", "--link", folder / name, *options, name="simulate-" + name,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.callback(simulator.kill)
            Lines(simulator.process.stdout).wait(lambda line: line.startswith("/dev/"))
        vue = VueSimulator(folder, "utility", "--solar")
        stack.callback(vue.kill)
        gateway = Gateway(folder, meters, http="access: open\ntokens: %s\n" % (folder / "tokens"),
                          extra="site: { name: Metergate demo, timezone: Europe/Warsaw }\n"
                                "history: { directory: %s, flush: 1s }\n"
                                "tariffs: [{ name: day, price: 0.28, currency: EUR }]\n" % (folder / "kept"))
        stack.callback(gateway.stop)
        wait_until(lambda: None not in gateway.now("main").values() and "power_w" in gateway.now("main"))
        wait_until(lambda: gateway.now("utility").get("energy_import_kwh"))
        # Another gateway, for the examples about a plug and a meter that nobody knows.
        gateway.workshop = Gateway(folder, [{"id": "plug", "protocol": "tuyamcu", "profile": "plug-standard",
                                             "port": folder / "plug"},
                                            {"id": "stranger", "protocol": "tuyamcu", "port": folder / "stranger"}],
                                   name="workshop",
                                   http="access: open\ntokens: %s\n" % (folder / "tokens"))
        stack.callback(gateway.workshop.stop)
        wait_until(lambda: gateway.workshop.now("plug").get("voltage_v"))
        yield gateway


def ask(gateway, command):
    """What the command prints, and the kind of the last answer."""
    if re.search("/meters/(plug|stranger)/", command):
        gateway = gateway.workshop
    words = shlex.split(command.replace(SERVER, "http://127.0.0.1:%d" % gateway.http_port))
    # A cursor of a gateway that has run for long is none here.
    words = [re.sub(r"\bafter=[1-9]\d*", "after=0", word) for word in words]
    marker = "\n%{content_type}"
    limit = STREAM_S if "-N" in words else TIMEOUT
    result = subprocess.run([CURL, "-sS", "--max-time", str(limit), "-w", marker, *words[1:]], capture_output=True,
                            text=True, timeout=2 * TIMEOUT)
    text, _, content_type = result.stdout.rpartition("\n")
    assert result.returncode in (0, 28), result.stderr
    return text, content_type.split(";")[0].strip()


def split_head(text):
    """Of an answer that was asked for with curl -i, its head and its body."""
    if not re.match(r"HTTP/[\d.]+ ", text):
        return "", text
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    return head, body


def differs(example, text, content_type):
    head, printed = split_head(example.printed)
    actual_head, body = split_head(text)
    for line in head.splitlines():
        name = line.split(":")[0].lower()
        if name != "..." and name not in [one.split(":")[0].lower() for one in actual_head.splitlines()]:
            return "no %r in the head of the answer: %s" % (line, actual_head)
    return compare_texts(content_type, printed, body) if printed.strip() else None


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_example(example, house):
    seen = []

    def agrees():
        text, content_type = ask(house, example.command)
        seen[:] = [differs(example, text, content_type)]
        return seen[0] is None

    # Right after the start not everything has been measured yet.
    deadline = time.monotonic() + TIMEOUT
    while not agrees() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert seen[0] is None, "%s:%d: %s" % (example.file, example.line, seen[0])


def test_there_are_examples():
    """Of the pages that have some."""
    assert {e.file for e in EXAMPLES} >= {"README.md", "api.md"}
    assert len(EXAMPLES) > 25


@pytest.mark.parametrize("printed, actual, wrong", [
    ('{"a":1,"b":[{"c":null},...]}', '{"a":2.5,"b":[{"c":"x"},{"c":"y"}]}', None),
    ('{"a":1,\n...}', '{"a":2,"b":3}', None),
    ('{"a":"one\ntwo"}', '{"a":"three"}', None),
    ('{"a":[]}', '{"a":[1]}', None),
    ('[{"k":"x","v":1},{"k":"y"}]', '[{"k":"a"},{"k":"b","v":2},{"k":"c"}]', None),
    ('{"a":1}', '{"a":1,"b":2}', "printed with a; there is a, b"),
    ('{"a":1,"b":2}', '{"b":1,"a":2}', "printed with a, b; there is b, a"),
    ('{"a":1,"c":2,...}', '{"a":1,"b":2}', "printed with a, c"),
    ('{"a":1}', '{"a":"1"}', ".a: printed 1, there is '1'"),
    ('{"a":true}', '{"a":1}', ".a: printed True, there is 1"),
    ('{"a":[{"b":1}]}', '{"a":[]}', "the answer is empty"),
    ('{"a":[{"b":1}]}', '{"a":[{"c":1}]}', ".a[]: printed with b; there is c"),
    ('{"detail":"no meter x; 3 are"}', '{"detail":"no meter y; 3 are"}', ".detail: "),
])
def test_what_is_compared(printed, actual, wrong):
    found = compare_texts("application/json", printed, actual)
    assert found is None if wrong is None else found and wrong in found


@pytest.mark.parametrize("content_type, printed, actual, agrees", [
    ("text/plain", "93.1", "-4", True),
    ("text/plain", "# A\n...\nx{m=\"1\"} 5", "# A\n# B\nx{m=\"2\"} 6\n", True),
    ("text/plain", "x 1\n# A", "# A\nx 1\n", False),
    ("text/csv", "a,b\n1,\n2,3", "a,b\n4,5\n", True),
    ("text/csv", "a,b\n1,2", "a,c\n4,5\n", False),
    ("text/csv", "a,b\n1,2,3", "a,b\n4,5\n", False),
    ("text/csv", "a,b\n1,2", "a,b\n", False),
    ("text/event-stream", "event: sample\nid: 7\ndata: {\"a\":1}", ": x\n\nevent: sample\nid: 9\ndata: {\"a\":2}\n\n", True),
    ("text/event-stream", "event: state\ndata: {\"a\":1}", "event: sample\ndata: {\"a\":2}\n\n", False),
    ("text/event-stream", "event: state\ndata: {\"a\":1}", "event: state\ndata: {\"b\":2}\n\n", False),
])
def test_what_is_compared_of_texts(content_type, printed, actual, agrees):
    assert (compare_texts(content_type, printed, actual) is None) == agrees
