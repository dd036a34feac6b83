#!/usr/bin/env python3
"""Fills the hours of an outage in Home Assistant's long-term statistics with what Metergate has measured meanwhile.

When Home Assistant could not hear a meter for some hours, all that flowed meanwhile stands in the one hour in which
it heard it again. Metergate knows the hours: this program writes them, and nothing but the hours of the outage,
through Home Assistant's own WebSocket command recorder/import_statistics. Sums go on from Home Assistant's own row
before the outage, so that its later rows stay right. Running it again changes nothing.

Needs Python 3.9 or newer and nothing else.
"""
import argparse
import base64
import datetime
import json
import os
import re
import socket
import ssl
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 60            # seconds without a word from the other side
MESSAGE_MAX = 64 << 20  # of an answer
ROWS_MAX = 24 * 366 * 5
HOUR = datetime.timedelta(hours=1)
EXACT = 9               # decimals that tell two energies apart: Home Assistant keeps binary numbers
WATT_HOUR = 0.001       # its own row after the outage may differ by so much: it reads now and then, not at once


class Failure(Exception):
    """Something to be told to whoever runs this, in one line."""


# ---- Home Assistant's WebSocket API ----

class HomeAssistant:
    """A connection, authenticated. For use with `with`."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token
        self.socket, self.received, self.id = None, b"", 0

    def __enter__(self):
        try:
            self._connect()
            self._authenticate()
        except OSError as error:
            self.close()
            raise Failure("%s: %s" % (self.url, error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def call(self, type, **arguments):
        """Sends a command and returns the result of its answer."""
        self.id += 1
        try:
            self._send_text(json.dumps({"id": self.id, "type": type, **arguments}))
            while True:
                answer = self._receive()
                if answer.get("id") == self.id and answer.get("type") == "result":
                    break
        except OSError as error:
            raise Failure("%s: %s" % (self.url, error)) from error
        if not answer.get("success"):
            problem = answer.get("error") or {}
            raise Failure("Home Assistant refuses %s: %s" % (type, problem.get("message") or problem.get("code")))
        return answer.get("result")

    def _connect(self):
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure("%s: expected an address like http://homeassistant.local:8123" % self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.socket = socket.create_connection((parts.hostname, port), TIMEOUT)
        if parts.scheme == "https":
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=parts.hostname)
        self.socket.sendall(("GET %s/api/websocket HTTP/1.1\r\nHost: %s\r\n"
                             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
                             % (parts.path.rstrip("/"), parts.netloc.rpartition("@")[2],
                                base64.b64encode(os.urandom(16)).decode())).encode())
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        if " 101 " not in head[0] + " ":
            raise Failure("%s: answers \"%s\"; is this Home Assistant?" % (self.url, head[0]))

    def _authenticate(self):
        if self._receive().get("type") != "auth_required":
            raise Failure("%s: does not speak like Home Assistant" % self.url)
        self._send_text(json.dumps({"type": "auth", "access_token": self.token}))
        answer = self._receive()
        if answer.get("type") != "auth_ok":
            raise Failure("%s: does not accept the token: %s" % (self.url, answer.get("message")))

    # RFC 6455: what we send is masked, as of a client.

    def _read(self, n):
        while len(self.received) < n:
            data = self.socket.recv(65536)
            if not data:
                raise Failure("%s: has closed the connection" % self.url)
            self.received += data
        data, self.received = self.received[:n], self.received[n:]
        return data

    def _read_until(self, end):
        while end not in self.received:
            data = self.socket.recv(65536)
            if not data or len(self.received) > 65536:
                raise Failure("%s: does not speak HTTP" % self.url)
            self.received += data
        data, _, self.received = self.received.partition(end)
        return data

    def _send(self, opcode, data):
        n = len(data)
        length = bytes([0x80 | n]) if n < 126 else struct.pack("!BH", 0x80 | 126, n) if n < 65536 \
            else struct.pack("!BQ", 0x80 | 127, n)
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def _send_text(self, text):
        self._send(1, text.encode())

    def _receive(self):
        """The next message; Home Assistant may send several as a list."""
        if getattr(self, "waiting", None):
            return self.waiting.pop(0)
        message = json.loads(self._receive_data())
        if isinstance(message, list):
            self.waiting = message
            return self.waiting.pop(0)
        return message

    def _receive_data(self):
        whole = b""
        while True:
            first, second = self._read(2)
            n = second & 0x7f
            if n == 126:
                n, = struct.unpack("!H", self._read(2))
            elif n == 127:
                n, = struct.unpack("!Q", self._read(8))
            if second & 0x80 or len(whole) + n > MESSAGE_MAX:
                raise Failure("%s: sends what no server sends" % self.url)
            data, opcode = self._read(n), first & 0x0f
            if opcode == 8:
                raise Failure("%s: has closed the connection" % self.url)
            if opcode == 9:
                self._send(10, data)
            elif opcode < 8:
                whole += data
                if first & 0x80:
                    return whole


# ---- the two sides ----

def metergate_rows(url, token, meter, series, begin, end):
    """(start, state) of each hour that Metergate knows; state is the total at its end."""
    query = urllib.parse.urlencode({"period": "hour", "format": "ha-statistics", "from": int(begin.timestamp()),
                                    "to": int(end.timestamp())})
    address = "%s/api/v1/meters/%s/energy?%s" % (url.rstrip("/"), urllib.parse.quote(meter, safe=""), query)
    channel = series.rpartition(".")[0]
    if channel:
        address += "&channel=" + urllib.parse.quote(channel, safe="")
    request = urllib.request.Request(address)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        raise Failure("Metergate answers %d: %s" % (error.code, detail_of(error))) from error
    except (OSError, ValueError) as error:
        raise Failure("%s: %s" % (url, error)) from error
    for statistic in document.get("statistics", []):
        if statistic["series"] == series:
            return [(parse_time(row["start"]), float(row["state"])) for row in statistic["rows"]]
    known = ", ".join(s["series"] for s in document.get("statistics", [])) or "none"
    raise Failure("meter %s has no energy %s in that time; it has: %s" % (meter, series, known))


def detail_of(error):
    try:
        return json.load(error).get("detail", "no reason given")
    except ValueError:
        return error.reason


def their_rows(home, statistic, begin, end):
    """{start: (state, sum)} of each hour that Home Assistant has."""
    answer = home.call("recorder/statistics_during_period", start_time=begin.isoformat(), end_time=end.isoformat(),
                       statistic_ids=[statistic], period="hour", types=["state", "sum"], units={"energy": "kWh"})
    return {their_time(row["start"]): (row.get("state"), row.get("sum")) for row in answer.get(statistic, [])}


def their_metadata(home, statistic):
    for known in home.call("recorder/list_statistic_ids", statistic_type="sum"):
        if known["statistic_id"] == statistic:
            return known
    raise Failure("Home Assistant keeps no sums of %s; does it have such an entity, with a state_class?" % statistic)


def their_time(value):
    """Milliseconds in newer versions, text in older ones."""
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value / 1000, datetime.timezone.utc)
    return parse_time(value)


def parse_time(text):
    try:
        time = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        raise Failure("%s: expected a time like 2026-11-21T10:00 or 2026-11-21T09:00:00Z" % text) from None
    return time.astimezone(datetime.timezone.utc)


def full_hour(time):
    return time.replace(minute=0, second=0, microsecond=0)


# ---- what is to be written ----

def plan(ours, theirs, begin, end):
    """[(start, state, sum)] for the hours from begin up to, not including, end."""
    before = [start for start in theirs if start < begin and None not in theirs[start]]
    if not before:
        raise Failure("Home Assistant has no hour before %s to go on from" % begin.isoformat())
    state, sum_ = theirs[max(before)]
    rows = []
    for start, total in ours:
        if begin <= start < end:
            if total < state - WATT_HOUR:
                raise Failure("at %s Metergate's total is %.6f kWh, but Home Assistant had already %.6f: is this the "
                              "same meter?" % (start.isoformat(), total, state))
            rows.append((start, total, sum_ + max(0.0, total - state)))
    check_rest(rows, theirs, end)
    return rows


def check_rest(rows, theirs, end):
    """The hours after the outage have to go on from the last one that is written."""
    after = sorted(start for start in theirs if start >= end and None not in theirs[start])
    if rows and after and theirs[after[0]][1] < rows[-1][2] - WATT_HOUR:
        raise Failure("Home Assistant's sum after the outage (%.6f kWh at %s) is less than what would be written "
                      "before it (%.6f): its own rows do not hold the energy of the outage"
                      % (theirs[after[0]][1], after[0].isoformat(), rows[-1][2]))


def is_there(row, theirs):
    known = theirs.get(row[0])
    return known is not None and None not in known and \
        (round(known[0], EXACT), round(known[1], EXACT)) == (round(row[1], EXACT), round(row[2], EXACT))


def import_rows(home, metadata, statistic, rows):
    home.call("recorder/import_statistics",
              metadata={"has_mean": False, "has_sum": True, "name": metadata.get("name"), "source": "recorder",
                        "statistic_id": statistic, "unit_of_measurement": "kWh"},
              stats=[{"start": start.isoformat(), "state": state, "sum": sum_} for start, state, sum_ in rows])


def fill(home, options):
    """Returns how many hours were written, and how many were so already."""
    begin, end = full_hour(parse_time(options.begin)), full_hour(parse_time(options.end))
    if begin >= end:
        raise Failure("the outage lies within one hour: nothing is to be filled")
    if (end - begin) / HOUR > ROWS_MAX:
        raise Failure("the outage is longer than %d hours" % ROWS_MAX)
    metadata = their_metadata(home, options.statistic_id)
    theirs = their_rows(home, options.statistic_id, begin - 24 * 30 * HOUR, end + 24 * 30 * HOUR)
    ours = metergate_rows(options.metergate, read_token(options.metergate_token_file), options.meter, options.series,
                          begin, end)
    rows = plan(ours, theirs, begin, end)
    new = [row for row in rows if not is_there(row, theirs)]
    for start, state, sum_ in new if options.dry_run else []:
        print("%s state %.6f sum %.6f" % (start.isoformat(), state, sum_))
    if new and not options.dry_run:
        import_rows(home, metadata, options.statistic_id, new)
    return len(new), len(rows) - len(new)


def read_token(path):
    if not path:
        return None
    try:
        with open(path) as file:
            token = file.read().strip()
    except OSError as error:
        raise Failure("%s: %s" % (path, error.strerror)) from error
    if not token or "\n" in token:
        raise Failure("%s: expected one line, the token" % path)
    return token


def parse_options(arguments):
    title, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=title, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home-assistant", metavar="URL", default="http://127.0.0.1:8123",
                        help="Home Assistant (default: %(default)s)")
    parser.add_argument("--token-file", metavar="FILE", required=True,
                        help="a file with a long-lived access token of an administrator")
    parser.add_argument("--metergate", metavar="URL", default="http://127.0.0.1:8730",
                        help="Metergate (default: %(default)s)")
    parser.add_argument("--metergate-token-file", metavar="FILE",
                        help="a file with a read token, where it asks for one")
    parser.add_argument("--meter", metavar="ID", required=True, help="the meter's id in Metergate")
    parser.add_argument("--series", metavar="KEY", default="energy_import_kwh",
                        help="its energy, with the channel where it has some (default: %(default)s)")
    parser.add_argument("--statistic-id", metavar="ENTITY", required=True,
                        help="the entity in Home Assistant, such as sensor.house_main_imported_energy")
    parser.add_argument("--from", metavar="TIME", dest="begin", required=True, help="when the outage began")
    parser.add_argument("--to", metavar="TIME", dest="end", required=True,
                        help="when Home Assistant heard the meter again")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_options(arguments)
    try:
        with HomeAssistant(options.home_assistant, read_token(options.token_file)) as home:
            new, same = fill(home, options)
    except Failure as failure:
        print("metergate_statistics: %s" % failure, file=sys.stderr)
        return 1
    print("%s: %d hours %s, %d were so already"
          % (options.statistic_id, new, "to write" if options.dry_run else "written", same))
    return 0


if __name__ == "__main__":
    sys.exit(main())
