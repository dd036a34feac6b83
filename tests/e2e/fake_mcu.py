"""A TuyaMCU microcontroller in Python, written from the protocol description alone.

It shares no code with the product, so that a mistake in one does not hide the same mistake in the other.
McuLogic is the device; PtyPort and TcpPort are the wires it can hang on.
"""
import contextlib
import json
import os
import random
import select
import socket
import termios
import threading
import time
import tty

from gateway import free_port

HEARTBEAT, PRODUCT, MODE, STATE, SET, REPORT, QUERY = 0x00, 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
REPORT_SYNC, REPORT_SYNC_ANSWER = 0x22, 0x23

RAW, BOOL, VALUE, STRING, ENUM, BITMAP = range(6)

# The product answer of a PJ-MGW1103, and what its query answer held in the article that made it known:
# 0.077 A, 17.7 W, 240.3 V.
PJ_MGW1103 = {"p": "djfep9s6s3b2qk89", "v": "1.0.0", "m": 2}
# Of a meter whose profile the configuration names. One that answers nothing here is asked three times, a second each.
NO_PROFILE = {"p": "0000000000000000", "v": "1.0.0", "m": 0}
LAMP = {18: 77, 19: 177, 20: 2403}

SPEEDS = {9600: termios.B9600, 38400: termios.B38400, 115200: termios.B115200}


def frame(command, data=b"", version=3):
    body = bytes([0x55, 0xAA, version, command]) + len(data).to_bytes(2, "big") + data
    return body + bytes([sum(body) & 0xFF])


def unit(dp, value, kind=None):
    """One datapoint: an int is a 4-byte value, a bool one byte, bytes are raw, a str is a string."""
    if isinstance(value, bool):
        kind, data = BOOL if kind is None else kind, bytes([value])
    elif isinstance(value, int):
        kind = VALUE if kind is None else kind
        size = 4 if kind == VALUE else 1
        data = value.to_bytes(size, "big", signed=value < 0)
    elif isinstance(value, str):
        kind, data = STRING if kind is None else kind, value.encode()
    else:
        kind, data = RAW if kind is None else kind, bytes(value)
    return bytes([dp, kind]) + len(data).to_bytes(2, "big") + data


class Received:
    """A frame that the gateway sent."""

    def __init__(self, at, raw):
        self.at, self.raw = at, raw
        self.version, self.command, self.data = raw[2], raw[3], raw[6:-1]

    @property
    def name(self):
        """"08", or "03/04" for a network state."""
        text = "%02x" % self.command
        return text + "/" + self.data.hex() if self.data else text

    def __repr__(self):
        return self.raw.hex(" ")


class McuLogic:
    """What the microcontroller does with bytes. write is set by the port that carries them."""

    def __init__(self, values=None, product=PJ_MGW1103, version=3, warm_up_s=0.0, gap_s=0.005):
        self.values = dict(LAMP if values is None else values)
        self.product = product          # dict, bytes, or None: never answers 01
        self.version = version
        self.ignored_products = 0       # so many first questions for it
        self.answers_mode = True
        self.mode_data = b""
        self.acknowledges_state = True
        self.answers_query = True
        self.together = False           # all datapoints of a query in one frame
        self.warm_up_s = warm_up_s      # zeros go on for this long after state 04
        self.gap_s = gap_s              # between the frames of one answer
        self.when_set = lambda data: self._obey(data)   # what 06 makes it do: as it says, and report it
        self.silent = False
        self.frames = []                # everything good that was received
        self.garbage = bytearray()      # received bytes that belong to no frame
        self.received_bytes = 0
        self.restarts = 0
        self.changed = threading.Condition(threading.RLock())
        self.write = lambda data: None
        self._buffer = bytearray()
        self._first_answer = True
        self._measures_from = None

    # what the tests do with it

    def report(self, command=REPORT, dps=None, **values):
        """report(dp19=180) changes values and reports them, one frame each; dps: an ordered dict in one frame."""
        with self.changed:
            if dps is not None:
                self.values.update(dps)
                self.send(command, b"".join(unit(dp, v) for dp, v in dps.items()))
                return
            numbers = {int(name.removeprefix("dp")): value for name, value in values.items()}
            self.values.update(numbers)
            # In one piece: whoever runs beside this process, they are one moment.
            self.send_raw(b"".join(frame(command, unit(dp, v), self.version) for dp, v in numbers.items()))

    def send(self, command, data=b""):
        self.send_raw(frame(command, data, self.version))

    def send_raw(self, data):
        with self.changed:
            if not self.silent:
                self.write(data)

    def noise(self, seconds, seed=1, bytes_per_s=2000):
        """Random bytes as a bad cable or another program on the line would make them. Returns how many."""
        rng = random.Random(seed)
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            data = rng.randbytes(bytes_per_s // 50)
            self.send_raw(data)
            sent += len(data)
            time.sleep(0.02)
        return sent

    def restart(self):
        """Power was cut for a moment: zeros until it is told again that it is connected, and it says so at once."""
        with self.changed:
            self._buffer.clear()
            self._first_answer = True
            self._measures_from = None
            self.restarts += 1
            self._report_all()

    def silence(self, on):
        with self.changed:
            self.silent = on

    @property
    def measuring(self):
        with self.changed:
            return self._measures_from is not None and time.monotonic() >= self._measures_from

    def names(self):
        with self.changed:
            return [f.name for f in self.frames]

    def count(self, name):
        return self.names().count(name)

    def wait_for(self, condition, timeout):
        """Until condition() holds, looked at whenever something arrives."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def wait_frames(self, name, count, timeout):
        return self.wait_for(lambda: self.count(name) >= count, timeout)

    # the device

    def feed(self, data):
        with self.changed:
            self.received_bytes += len(data)
            self._buffer += data
            while self._next_frame():
                pass
            self.changed.notify_all()

    def _next_frame(self):
        buf = self._buffer
        while buf and not (buf[0] == 0x55 and (len(buf) < 2 or buf[1] == 0xAA)):
            self.garbage.append(buf.pop(0))
        if len(buf) < 6:
            return False
        total = 7 + int.from_bytes(buf[4:6], "big")
        if len(buf) < total:
            return False
        raw = bytes(buf[:total])
        if sum(raw[:-1]) & 0xFF != raw[-1]:
            self.garbage.append(buf.pop(0))
            return True
        del buf[:total]
        received = Received(time.monotonic(), raw)
        self.frames.append(received)
        self._answer(received)
        return True

    def _answer(self, received):
        command = received.command
        if command == HEARTBEAT:
            self.send(HEARTBEAT, b"\0" if self._first_answer else b"\1")
            if not self.silent:
                self._first_answer = False
        elif command == PRODUCT and self.product is not None and self.count("01") > self.ignored_products:
            product = self.product
            self.send(PRODUCT, product if isinstance(product, bytes)
                      else json.dumps(product, separators=(",", ":")).encode())
        elif command == MODE and self.answers_mode:
            self.send(MODE, self.mode_data)
        elif command == STATE:
            if self.acknowledges_state:
                self.send(STATE)
            if received.data == b"\4" and self._measures_from is None:
                self._measures_from = time.monotonic() + self.warm_up_s
        elif command == QUERY and self.answers_query:
            self._report_all()
        elif command == SET:
            self.when_set(received.data)

    def _obey(self, data):
        """One datapoint that it has, of the kind that it has."""
        dp, kind, value = data[0], data[1], data[4:]
        if dp not in self.values or len(value) != int.from_bytes(data[2:4], "big"):
            return
        new = {RAW: bytes(value), BOOL: bool(int.from_bytes(value, "big")), STRING: value.decode()}.get(
            kind, int.from_bytes(value, "big", signed=kind == VALUE))
        if type(new) is type(self.values[dp]):
            self.values[dp] = new
            self.send(REPORT, unit(dp, new, kind))

    def _report_all(self):
        units = [unit(dp, self._shown(v)) for dp, v in self.values.items()]
        for number, data in enumerate([b"".join(units)] if self.together else units):
            time.sleep(self.gap_s if number else 0)
            self.send(REPORT, data)

    def _shown(self, value):
        if self.measuring:
            return value
        return bytes(len(value)) if isinstance(value, (bytes, bytearray)) else type(value)(0)


class PtyPort:
    """A pty behind a symlink, with the device at the master side.

    The slave stays open here, so that bytes survive the gateway's own opening and closing. speed: the only line
    speed that the device understands, compared with what the gateway has set; None: any.
    """

    def __init__(self, logic, link, speed=None, plugged=True):
        self.logic, self.link, self.speed = logic, str(link), speed
        self.path = None
        self._master = self._slave = None
        self._thread = None
        self._wake = None
        logic.write = self._write
        if plugged:
            self.plug()

    def plug(self):
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.path = os.ttyname(slave)
        wake_r, wake_w = os.pipe()
        self._master, self._slave, self._wake = master, slave, wake_w
        self._thread = threading.Thread(target=self._run, args=(master, slave, wake_r), daemon=True)
        self._thread.start()
        temporary = self.link + ".new"
        os.symlink(self.path, temporary)
        os.replace(temporary, self.link)

    def unplug(self):
        if self._master is None:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.link)
        with self.logic.changed:
            os.close(self._wake)
            self._master, slave = None, self._slave
            self._slave = None
        self._thread.join()
        os.close(slave)

    close = unplug

    def baud(self):
        """The speed that the gateway has set."""
        code = termios.tcgetattr(self._slave)[5]
        return next((baud for baud, c in SPEEDS.items() if c == code), None)

    def _hears(self, slave):
        return self.speed is None or termios.tcgetattr(slave)[5] == SPEEDS[self.speed]

    def _write(self, data):
        if self._master is None:
            return
        if not self._hears(self._slave):
            data = bytes((b * 7 + 0x93) & 0xFF for b in data)
        # Nobody reads: a real wire forgets, too.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def _run(self, master, slave, wake):
        try:
            while True:
                readable, _, _ = select.select([master, wake], [], [])
                if wake in readable:
                    return
                with contextlib.suppress(BlockingIOError):
                    data = os.read(master, 4096)
                    if self._hears(slave):
                        self.logic.feed(data)
        except OSError:
            return
        finally:
            os.close(master)
            os.close(wake)


class TcpPort:
    """A serial port behind a TCP server, as ser2net offers it. One client at a time, the newest wins."""

    def __init__(self, logic):
        self.logic = logic
        self.connections = 0
        self._client = self._server = self._thread = None
        logic.write = self._write
        self.port = free_port()
        self.start()

    def start(self):
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._run, args=(self._server,), daemon=True)
        self._thread.start()

    def stop(self):
        """The server's machine goes away."""
        if self._server is None:
            return
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._server = None
        self.drop()
        self._thread.join()

    close = stop

    def drop(self):
        """Only the connection goes away."""
        with self.logic.changed:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _write(self, data):
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.sendall(data)

    def _run(self, server):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with self.logic.changed:
                self._client = client
                self.connections += 1
                self.logic.changed.notify_all()
            with client:
                with contextlib.suppress(OSError):
                    while data := client.recv(4096):
                        self.logic.feed(data)
            with self.logic.changed:
                if self._client is client:
                    self._client = None


class FakeMcu(McuLogic):
    """The usual case: a device on a pty."""

    def __init__(self, link, speed=None, plugged=True, **options):
        super().__init__(**options)
        self.port = PtyPort(self, link, speed, plugged)

    def unplug(self):
        """The cable is pulled; the device loses its power as well."""
        self.port.unplug()
        with self.changed:
            self._buffer.clear()
            self._first_answer = True
            self._measures_from = None

    def replug(self):
        self.port.plug()

    def close(self):
        self.port.close()
