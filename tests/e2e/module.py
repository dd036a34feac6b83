"""The vendor's own module on a meter's line, in Python, and ears on that line for a gateway that only listens.

The modules are written from the protocol descriptions alone, as fake_mcu.py is.
"""
import contextlib
import os
import select
import threading
import time
import tty

from fake_mcu import HEARTBEAT, MODE, PRODUCT, QUERY, REPORT_SYNC, REPORT_SYNC_ANSWER, STATE, PtyPort, frame
from gateway import wait_until


class Ear:
    """A receiver on a line, for the gateway: a pty behind a link. Whatever the gateway says into it is kept."""

    def __init__(self, link):
        self.changed = threading.Condition(threading.RLock())
        self.said = bytearray()
        self.link = link
        self.port = PtyPort(self, link)

    def feed(self, data):
        self.said += data

    def hear(self, data):
        with self.changed:    # as unplugging has it
            self.write(data)

    def close(self):
        self.port.close()


class Line:
    """The two wires between a simulated meter and its module. Each ear hears the wires that it hangs on."""

    def __init__(self, path, module, rx_ears=(), tx_ears=()):
        self.module, self.rx_ears, self.tx_ears = module, list(rx_ears), list(tx_ears)
        self.traffic = []           # (UTC in s, "rx" or "tx", bytes) as they went over the wires
        self._lock = threading.RLock()
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)
        wake_r, self._wake = os.pipe()
        module.send = self.send
        self._threads = [threading.Thread(target=self._run, args=(wake_r,), daemon=True),
                         threading.Thread(target=module.live, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _note(self, direction, data, ears):
        with self._lock:
            self.traffic.append((time.time(), direction, data))
            for ear in ears:
                ear.hear(data)

    def send(self, data):
        """From the module to the meter. Whoever listens hears it no later than the meter."""
        self._note("tx", data, self.tx_ears)
        with contextlib.suppress(OSError):
            os.write(self._fd, data)

    def _run(self, wake):
        with contextlib.suppress(OSError):
            while True:
                readable, _, _ = select.select([self._fd, wake], [], [])
                if wake in readable:
                    break
                data = os.read(self._fd, 4096)
                self._note("rx", data, self.rx_ears)
                self.module.feed(data)
        os.close(wake)

    def recording(self):
        """As a file that decode reads."""
        def at(seconds):
            return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % (seconds % 1 * 1000)

        with self._lock:
            return "".join("%s %s %s\n" % (at(t), direction, data.hex(" ").upper())
                           for t, direction, data in self.traffic)

    def close(self):
        self.module.stopped.set()
        os.close(self._wake)
        for thread in self._threads:
            thread.join()
        os.close(self._fd)


class TuyaModule:
    """Walks through the start as a Wi-Fi module does, and asks again and again."""

    def __init__(self, period=0.5):
        self.period = period
        self.stopped = threading.Event()
        self.answers = []           # (command, data) of everything good that the meter sent
        self._buffer = bytearray()
        self._changed = threading.Condition()

    def feed(self, data):
        with self._changed:
            self._buffer += data
            while (found := self._next()) is not None:
                self.answers.append(found)
                if found[0] == REPORT_SYNC:
                    self.send(frame(REPORT_SYNC_ANSWER, b"\1", version=0))
            self._changed.notify_all()

    def _next(self):
        """The next good frame; bytes that begin none are dropped."""
        buffer = self._buffer
        while len(buffer) >= 7:
            total = 7 + int.from_bytes(buffer[4:6], "big")
            if buffer[:2] == b"\x55\xaa" and len(buffer) < total <= 1024:
                return None
            if buffer[:2] == b"\x55\xaa" and total <= 1024 and sum(buffer[:total - 1]) & 0xff == buffer[total - 1]:
                found = buffer[3], bytes(buffer[6:total - 1])
                del buffer[:total]
                return found
            del buffer[0]
        return None

    def _ask(self, command, data=b""):
        """Until it is answered."""
        with self._changed:
            seen = len(self.answers)
            while not self.stopped.is_set():
                self.send(frame(command, data, version=0))
                if self._changed.wait_for(lambda: command in [c for c, _ in self.answers[seen:]], 1):
                    return

    def live(self):
        for command, data in ((HEARTBEAT, b""), (PRODUCT, b""), (MODE, b""), (STATE, b"\2"), (STATE, b"\3"),
                              (STATE, b"\4")):
            self._ask(command, data)
        while not self.stopped.is_set():
            self.send(frame(QUERY, version=0))
            self.stopped.wait(self.period)
            self._ask(HEARTBEAT)


class VueModule:
    """The ESP32 of an Emporia Vue Utility Connect: asks who is there, then for readings."""

    def __init__(self, period=0.5):
        self.period = period
        self.stopped = threading.Event()
        self.heard = bytearray()

    def feed(self, data):
        self.heard += data

    def install_code(self):
        """As it went over the wire."""
        start = self.heard.find(b"$\1i\x08")
        code = bytes(self.heard[start + 4:start + 12])
        return code if start >= 0 and len(code) == 8 else None

    def live(self):
        for letter in b"fmij":
            answer = bytes((0x24, 0x01, letter))
            while answer not in self.heard and not self.stopped.is_set():
                self.send(bytes((0x24, letter, 0x0d)))
                self.stopped.wait(0.5)
        while not self.stopped.is_set():
            self.send(b"$r\r")
            self.stopped.wait(self.period)


def listening(gateway, meter="main", lines=2):
    """Until all of its ports are open."""
    def is_open():
        d = gateway.diagnostics(meter)
        return d["link"]["open"] and (lines == 1 or d["link_tx"]["open"])

    wait_until(is_open)
