"""docs/reverse-engineering.md, told again: every file and every command of the page, with a simulated meter whose
profile and product key nobody knows, its vendor's module, and an ear on each of their lines."""
import contextlib
import json
import os
import pty
import random
import re
import shlex
import shutil
import signal
import subprocess
import threading

import pytest

from examples import compare_json, compare_lines, examples
from fake_mcu import REPORT, unit
from gateway import BINARY, RUN, TIMEOUT, TOP, VALGRIND_LINE, Gateway, Process, free_port, wait_until
from module import Ear, Line, TuyaModule
from player import Player

PAGE = TOP / "docs" / "reverse-engineering.md"
FILES = re.compile(r"^```(?:yaml|bat)\n(?:#|//) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CURL = shutil.which("curl")

# What is behind the meter, in V, A and W. The voltage falls a little with the load, as it does in a house.
LOADS = [(230.1, 0.12, 26), (229.4, 8.61, 1975), (230.6, 0.13, 28), (228.8, 4.2, 930), (230.3, 0.5, 70),
         (228.0, 9.5, 2150), (231.0, 0.12, 25), (230.2, 2.2, 505), (229.9, 3.3, 600), (229.0, 6.1, 1390),
         (230.5, 0.3, 60), (230.8, 0.2, 40)]

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not there")


def vue_frames():
    """An hour of readings in a form that nobody knows, with the power in W at byte 30, and what an app makes of them: a
    value that holds for a minute, from its beginning."""
    chance, power, frames, rows = random.Random(7), 420, [], ["Time (UTC),Main (kW)"]
    filling = random.Random(3).randbytes(48)
    for minute in range(60):
        for half in range(2):
            if chance.random() < 0.5:
                power = chance.choice([75, 180, 420, 890, 2350, 3120, -640, -1500]) + chance.randint(0, 60)
            payload = bytearray(filling)
            payload[5] = 2 * minute + half
            payload[30:33] = power.to_bytes(3, "little", signed=True)
            frames.append("2026-11-21T18:%02d:%02d.200Z rx 24 01 72 30 %s 0D" % (minute, 30 * half,
                                                                                 payload.hex(" ").upper()))
            if half == 0:
                rows += ["11/21/2026 18:%02d:%02d,%.4f" % (minute, second, power / 1000) for second in range(60)]
    return "\n".join(frames) + "\n", "\n".join(rows) + "\n"


class Bench:
    """The desk: a folder with the page's files, a terminal, and the meter on its wires."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.gateway = folder, stack, None
        self.port = free_port()
        self.player = Player(folder, "mcu", "--profile", "kws-302wf", "--product", "unknown8", "--interval", "250ms")
        stack.callback(self.put_away)
        self.ears = [Ear(folder / name) for name in ("ttyUSB0", "ttyUSB1")]
        self.line = Line(self.player.link, TuyaModule(period=0.25), self.ears[:1], self.ears[1:])
        for name, text in FILES.findall(PAGE.read_text()):
            (folder / name).write_text(self.here(text if name.endswith(".bat") else self.with_server(text)))
        for name, text in zip(("vue.hex", "app.csv"), vue_frames()):
            (folder / name).write_text(text)
        (folder / "bin").mkdir()
        program = folder / "bin" / "metergate"
        program.write_text("#!/bin/sh\nexec %s \"$@\"\n" % shlex.join([*RUN, BINARY]))
        program.chmod(0o755)

    def put_away(self):
        self.line.close()
        self.player.signal(signal.SIGTERM)
        self.player.wait()
        for ear in self.ears:
            ear.close()
            assert bytes(ear.said) == b"", "somebody spoke on a line that is only listened to"

    def here(self, text):
        """The page's ports are links in the folder, its gateway's port a free one."""
        text = text.replace("/dev/ttyUSB", "%s/ttyUSB" % self.folder)
        return text.replace("127.0.0.1:8730", "127.0.0.1:%d" % self.port)

    def with_server(self, text):
        return "http: { listen: ['127.0.0.1:8730'] }\nhistory: { directory: %s, size: 2MiB }\n%s" % (
            self.folder / "kept", text)

    def switch_loads(self, loads=LOADS):
        """Each for long enough that it is on the wire three times."""
        for voltage, current, power in loads:
            report = REPORT, unit(103, power * 10)
            seen = self.line.module.answers.count(report)
            self.player.tell("set %s %s %s" % (voltage, current, power))
            wait_until(lambda: self.line.module.answers.count(report) >= seen + 3)

    # --- the commands of the page ---

    def capture(self, words):
        """Until the loads were switched; then somebody types Ctrl-C."""
        process = Process(self.folder, *words[1:], name="capture", journal=False,
                          prefix=("env", "-C", str(self.folder)))
        self.stack.callback(process.kill)
        wait_until(lambda: "good frames" in process.log())
        self.switch_loads()
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.log()
        return ""

    def serve(self, words):
        """In the place of the one before. The meter has its last load from now on."""
        if self.gateway:
            self.gateway.stop()
        name = words[words.index("--config") + 1]
        self.gateway = Gateway(self.folder, config=(self.folder / name).read_text(), name=name)
        self.gateway.http_port = self.port
        self.stack.callback(self.gateway.kill)
        self.switch_loads(LOADS[:9] if name == "unknown.yaml" else LOADS[1:2])
        return ""

    def curl(self, words):
        result = subprocess.run([CURL, "-sS", "--max-time", str(TIMEOUT), *words[1:]], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def shell(self, command):
        """On a terminal, where tables are shown. What goes to standard error follows."""
        terminal, end = pty.openpty()
        environment = dict(os.environ, TZ="UTC", PATH="%s:%s" % (self.folder / "bin", os.environ["PATH"]))
        with subprocess.Popen(["/bin/sh", "-c", command], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=end, stderr=subprocess.PIPE) as process:
            os.close(end)
            output, errors = bytearray(), []
            thread = threading.Thread(target=lambda: errors.append(process.stderr.read()))
            thread.start()
            with contextlib.suppress(OSError):
                while piece := os.read(terminal, 65536):
                    output += piece
            thread.join()
        os.close(terminal)
        said = [line for line in errors[0].decode().splitlines() if not VALGRIND_LINE.match(line)]
        assert process.returncode == 0, said
        return output.decode().replace("\r\n", "\n") + "\n".join(said)

    def run(self, command):
        words = shlex.split(self.here(command))
        if words[0] == "curl":
            return self.curl(words)
        assert words[0] == "metergate", command
        if words[1] in ("capture", "serve"):
            return getattr(self, words[1])(words)
        return self.shell(self.here(command))


def squeezed(text):
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def differs(printed, text):
    """JSON has the printed keys, a table or a file the printed lines; numbers and times are those of the day."""
    if not printed.strip():
        return None
    if printed.startswith("{"):
        return compare_json(printed, text)
    objects = [line for line in printed.splitlines() if line.startswith("{")]
    if objects:
        there = [line for line in text.splitlines() if line.startswith("{")]
        return next((line for line in objects if all(compare_json(line, other) for other in there)), None)
    return compare_lines(squeezed(printed), squeezed(text))


def test_the_story(tmp_path):
    found = examples(PAGE)
    with contextlib.ExitStack() as stack:
        bench = Bench(tmp_path, stack)
        for example in found:
            seen = []

            def agrees():
                seen[:] = [bench.run(example.command)]
                seen.append(differs(example.printed, seen[0]))
                return seen[1] is None

            if example.command.startswith("curl "):
                with contextlib.suppress(AssertionError):
                    wait_until(agrees, interval=0.3)
            else:
                agrees()
            assert seen[1] is None, "%s:%d: %s: %s\n%s" % (example.file, example.line, example.command, seen[1],
                                                            seen[0][-3000:])
        bench.gateway.stop()
        check_truth(bench)
    assert {"capture", "discover", "decode", "check-config", "serve", "correlate", "import-openbeken"} == {
        example.command.split()[1] for example in found if example.command.startswith("metergate ")}


def check_truth(bench):
    """What the program found out is what the hidden profile says."""
    rows = (bench.folder / "stranger.yaml").read_text()
    for row in ("dp: 101, type: value, quantity: voltage_v, scale: 0.1 ",
                "dp: 102, type: value, quantity: current_a, scale: 0.001 ",
                "dp: 103, type: value, quantity: power_w, scale: 0.1 "):
        assert row in rows, rows
    assert "product_keys: [unknown8]" in rows
    decoded = bench.shell("metergate decode --protocol tuyamcu --profile ./stranger.yaml meter.hex | cat")
    powers = {reading["power_w"] for line in decoded.splitlines() if line.startswith("{")
              for reading in [json.loads(line).get("readings", {})] if "power_w" in reading}
    assert {power for _, _, power in LOADS} <= powers
