"""A receiver of remote write 1.0: takes what comes, or answers as it is told to. Snappy and protocol buffers are read
by the few lines that they need, so that nothing of the sender's own libraries is used to check it."""
import http.server
import struct
import threading

STALE = 0x7ff0000000000002


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def unsnappy(data):
    """One block."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        kind, at = tag & 3, at + 1
        if kind == 0:
            n = tag >> 2
            if n >= 60:
                size = n - 59
                n, at = int.from_bytes(data[at:at + size], "little"), at + size
            out += data[at:at + n + 1]
            at += n + 1
            continue
        if kind == 1:
            n, offset, at = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at], at + 1
        else:
            size = 2 if kind == 2 else 4
            n, offset, at = (tag >> 2) + 1, int.from_bytes(data[at:at + size], "little"), at + size
        assert 0 < offset <= len(out)
        for _ in range(n):
            out.append(out[-offset])
    assert len(out) == length
    return bytes(out)


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        else:
            assert key & 7 == 2, key
            n, at = varint(data, at)
            value, at = data[at:at + n], at + n
        yield key >> 3, value
    assert at == len(data)


def decode(body):
    """[({label: value}, [(ms, value or None for a stale marker)])] of a request."""
    series = []
    for number, one in fields(unsnappy(body)):
        assert number == 1
        labels, samples = [], []
        for kind, message in fields(one):
            parts = dict(fields(message))
            if kind == 1:
                labels.append((parts[1].decode(), parts[2].decode()))
            else:
                raw = parts.get(1, bytes(8))
                stale = struct.unpack("<Q", raw)[0] == STALE
                samples.append((parts[2], None if stale else struct.unpack("<d", raw)[0]))
        assert labels == sorted(labels) and len(dict(labels)) == len(labels)
        assert samples
        series.append((dict(labels), samples))
    return series


class Receiver:
    """answers: what to say to the next requests, as status or (status, headers); when there are none left, 204.
    deaf: whoever sends something is hung up on, and nothing of it is kept."""

    def __init__(self, port=0, answers=()):
        self.requests = []          # (status, headers, [(labels, samples)])
        self.answers = list(answers)
        self.deaf = False
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.hear(self, decode(body))
                if answer is None:
                    self.close_connection = True
                    return
                status, headers = answer
                text = b"" if status == 204 else b"as the test wants it\nsecond line"
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = "http://127.0.0.1:%d/api/v1/write" % self.port
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def hear(self, request, series):
        """(status, headers) to answer with; None: it was not heard."""
        with self._lock:
            if self.deaf:
                return None
            answer = self.answers.pop(0) if self.answers else 204
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.requests.append((status, request.path, request.headers, series))
            return status, headers

    def listen(self, on):
        with self._lock:
            self.deaf = not on

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def samples(self, good_only=True):
        """[(name, meter, channel, ms, value)] in the order they came."""
        return [(labels["__name__"], labels["meter"], labels.get("channel"), ms, value)
                for status, _, _, series in list(self.requests) if status < 300 or not good_only
                for labels, samples in series for ms, value in samples]

    def labels(self):
        return [labels for _, _, _, series in list(self.requests) for labels, _ in series]
