"""HTTPS as its users set it up: files, clients, reloads, and what is done to a port that anybody can reach."""
import contextlib
import fcntl
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

from certificates import Authority
from gateway import SEED, TIMEOUT, fetch, free_port, run, wait_until
from stream import Stream, fill

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def files(authority):
    return authority.make()


def tls_of(files):
    return "tls: { certificate: %s, key: %s }" % tuple(files)


@pytest.fixture
def secure(start, files):
    """A gateway over TLS beside a unix socket, which stays plain and is how the fixtures talk to it."""
    def make(tmp_path, meters="[]", http=None, **options):
        path = tmp_path / "api.sock"
        port = free_port()
        gateway = start(meters, http=tls_of(files) if http is None else http,
                        listen='["127.0.0.1:%d", "unix:%s"]' % (port, path), **options)
        gateway.http_port, gateway.unix = port, str(path)
        return gateway

    return make


def connect(gateway, context):
    raw = socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def name_of(connection):
    return dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"]


def ask(connection, request=GET):
    """One answer with a Content-Length."""
    connection.sendall(request)
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        assert piece, "closed in the middle of an answer"
        text += piece
    head, body = text.split(b"\r\n\r\n", 1)
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length")))
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), body


def curl(gateway, authority, path, *options):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    return subprocess.run(["curl", "-sS", "--noproxy", "*", "-m", str(TIMEOUT),
                           "--cacert", str(authority.certificate), *options,
                           "https://localhost:%d%s" % (gateway.http_port, path)], capture_output=True, text=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_curl(secure, authority, tmp_path, version):
    gateway = secure(tmp_path)
    result = curl(gateway, authority, "/healthz", "--tlsv" + version, "--tls-max", version)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["status"] == "ok"


def test_rsa_key(secure, authority, tmp_path):
    gateway = secure(tmp_path, http=tls_of(authority.make("rsa", kind=("rsa:2048",))))
    for version in VERSIONS.values():
        with connect(gateway, authority.context(version)) as connection:
            assert ask(connection)[0] == 200


def test_a_client_that_does_not_know_the_authority(secure, tmp_path):
    gateway = secure(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(gateway, ssl.create_default_context())
    assert gateway.json("/healthz")["status"] == "ok"


def test_old_versions_are_refused(secure, authority, tmp_path):
    gateway = secure(tmp_path)
    context = authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        connect(gateway, context)


def test_keep_alive(secure, authority, tmp_path):
    gateway = secure(tmp_path)
    connection = http.client.HTTPSConnection("localhost", gateway.http_port, timeout=TIMEOUT,
                                             context=authority.context())
    with contextlib.closing(connection):
        connection.connect()
        local = connection.sock.getsockname()
        for _ in range(20):
            connection.request("GET", "/api/v1/meters")
            response = connection.getresponse()
            assert response.status == 200 and response.read()
            assert connection.sock is not None and connection.sock.getsockname() == local


def test_addresses_say_https(secure, authority, tmp_path):
    gateway = secure(tmp_path, [{"id": "main", "protocol": "tuyamcu", "profile": "pj-mgw1103",
                                 "port": tmp_path / "none"}])
    gateway.wait_log("serving https://127.0.0.1:%d" % gateway.http_port)
    with connect(gateway, authority.context()) as connection:
        text = ask(connection, b"GET /api/v1/home-assistant.yaml HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
                   % gateway.http_port)[1].decode()
    assert "https://localhost:%d/api/v1/meters/main/now" % gateway.http_port in text
    assert "http://localhost" in gateway.get("/api/v1/home-assistant.yaml").text


def test_long_answer(secure, authority, tmp_path):
    """A history of a day, row by row, over TLS is what it is over the plain socket."""
    rows = ["t_ms,power_w"] + ["%d,%d.%03d" % (1795255200000 + 1000 * i, i % 3000, i % 1000) for i in range(40000)]
    (tmp_path / "day.csv").write_text("\n".join(rows) + "\n")
    directory = tmp_path / "history"
    result = run("history", "import", "--directory", directory, "--meter", "main", tmp_path / "day.csv")
    assert result.returncode == 0, result.stderr
    gateway = secure(tmp_path, [{"id": "main", "protocol": "tuyamcu", "profile": "pj-mgw1103",
                                 "port": tmp_path / "none"}],
                     extra="history: { directory: %s, size: 4MiB }\n" % directory)
    gateway.wait_history()
    path = "/api/v1/meters/main/history?series=power_w&step=raw&from=1795255200&to=1795300000&limit=11000&format=csv"
    plain = gateway.get(path)
    assert plain.status == 200 and len(plain.body) > 200000, plain
    connection = http.client.HTTPSConnection("localhost", gateway.http_port, timeout=TIMEOUT,
                                             context=authority.context())
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", path)
            assert connection.getresponse().read() == plain.body


@pytest.mark.skipif(bool(os.environ.get("METERGATE_RUN")), reason="times of another program")
def test_stream(secure, authority, mcu, meter, tmp_path):
    """Live, resumed, and beside clients that do not read; none of them keeps the processor busy."""
    fill(tmp_path, 1, "past", 24, 20000)
    gateway = secure(tmp_path, [meter()], extra="history: { directory: %s/kept, size: 2MiB }\n" % tmp_path)
    gateway.wait_now(power_w=17.7)
    with Stream(gateway.http_port, last_id="19000", tls=authority.context()) as stream, contextlib.ExitStack() as stack:
        assert stream.wait_data()["cursor"] == "19001"
        for _ in range(4):
            stack.enter_context(Stream(gateway.http_port, last_id="0", receive_buffer=4096, tls=authority.context()))
        begin, before = time.monotonic(), cpu_ticks(gateway.pid)
        for i in range(10):
            mcu.report(dp19=1000 + i)
            stream.wait_data(power_w=(1000 + i) / 10)
        wait_until(lambda: time.monotonic() - begin > 2)
        assert cpu_ticks(gateway.pid) - before < 50
        gateway.stop()
        stream.wait(lambda s: s.ended)


def test_plain_http_is_not_answered(secure, tmp_path):
    gateway = secure(tmp_path)
    with socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT) as s:
        s.sendall(GET)
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1" not in s.recv(1000)
    with pytest.raises((http.client.HTTPException, OSError)):
        fetch(gateway.http_port, "/healthz")


def handshake_bytes(context):
    """What a client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def cut_handshake(gateway, context, random_source):
    """A handshake whose client goes away after some number of bytes, sent in pieces of any size."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    budget = random_source.randrange(1200)
    with socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT) as s:
        while budget > 0:
            try:
                client.do_handshake()
                client.write(GET)
                done = True
            except ssl.SSLWantReadError:
                done = False
            data = outgoing.read()[:budget]
            budget -= len(data)
            while data:
                n = random_source.randrange(1, 200)
                s.sendall(data[:n])
                data = data[n:]
            if done or budget == 0:
                break
            incoming.write(s.recv(65536))
        if random_source.randrange(2):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_cut_handshakes(secure, authority, tmp_path):
    random_source = random.Random(SEED)
    gateway = secure(tmp_path)
    gateway.wait_history()    # its file is open from then on
    open_before = len(os.listdir("/proc/%d/fd" % gateway.pid))
    for i in range(100):
        cut_handshake(gateway, authority.context(random_source.choice(list(VERSIONS.values()))), random_source)
        if i % 20 == 0:
            with connect(gateway, authority.context()) as connection:
                assert ask(connection)[0] == 200
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % gateway.pid)) <= open_before)
    with connect(gateway, authority.context()) as connection:
        assert ask(connection)[0] == 200


def cpu_ticks(pid):
    with open("/proc/%d/stat" % pid) as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


@pytest.mark.skipif(bool(os.environ.get("METERGATE_RUN")), reason="times of another program")
def test_stalled_handshakes_leave_the_processor_alone(secure, authority, tmp_path):
    gateway = secure(tmp_path)
    hello = handshake_bytes(authority.context())
    with contextlib.ExitStack() as stack:
        for data in (b"", hello[:1], hello[:-1], hello):
            for _ in range(8):
                s = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT))
                s.sendall(data)
        with connect(gateway, authority.context()) as connection:
            assert ask(connection)[0] == 200
            before, begin = cpu_ticks(gateway.pid), time.monotonic()
            wait_until(lambda: time.monotonic() - begin > 2)
            # Two seconds of a library that spins are 200 ticks.
            assert cpu_ticks(gateway.pid) - before < 50
            assert ask(connection)[0] == 200


def test_reload_to_a_new_certificate(secure, authority, tmp_path):
    files = authority.make("first", "first")
    gateway = secure(tmp_path, http=tls_of(files))
    context = authority.context()
    with connect(gateway, context) as old:
        assert ask(old)[0] == 200 and name_of(old) == "first"
        for path, source in zip(files, authority.make("second", "second")):
            os.replace(source, path)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in gateway.log())
        assert ask(old)[0] == 200
        with connect(gateway, context) as new:
            assert name_of(new) == "second" and ask(new)[0] == 200
        assert ask(old)[0] == 200


def test_reload_with_bad_files_changes_nothing(secure, authority, tmp_path):
    certificate, key = authority.make("kept", "kept")
    _, other_key = authority.make("stranger")
    gateway = secure(tmp_path, http=tls_of((certificate, key)), may_log_errors=True)
    good = key.read_text()
    for content, words in ((other_key.read_text(), "not the key"), ("nothing", "no private key"),
                           (None, "No such file")):
        if content is None:
            key.unlink()
        else:
            key.write_text(content)
        gateway.signal(signal.SIGHUP)
        gateway.wait_log(str(key), words, "old configuration stays")
        with connect(gateway, authority.context()) as connection:
            assert name_of(connection) == "kept" and ask(connection)[0] == 200
    key.write_text(good)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log())


def test_reload_from_plain_to_tls_and_back(start, authority, files):
    gateway = start("[]")
    plain = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=TIMEOUT)
    with contextlib.closing(plain):
        plain.request("GET", "/healthz")
        assert plain.getresponse().read()
        gateway.http_extra = tls_of(files)
        gateway.reload([])
        wait_until(lambda: gateway.log().count("reloaded") == 1)
        plain.request("GET", "/healthz")
        assert plain.getresponse().read()
        with connect(gateway, authority.context()) as connection:
            assert ask(connection)[0] == 200
            gateway.http_extra = ""
            gateway.reload([])
            wait_until(lambda: gateway.log().count("reloaded") == 2)
            assert ask(connection)[0] == 200
        assert gateway.json("/healthz")["status"] == "ok"


@pytest.mark.parametrize("mistake", ["missing", "other key", "no certificate", "certificate as key", "encrypted key"])
def test_bad_files_are_told(authority, files, tmp_path, mistake):
    certificate, key = files
    if mistake == "missing":
        certificate = tmp_path / "none.pem"
        bad = certificate
    elif mistake == "other key":
        key = bad = authority.make("another")[1]
    elif mistake == "no certificate":
        certificate = bad = tmp_path / "empty.pem"
        certificate.write_text("")
    elif mistake == "certificate as key":
        key = bad = certificate
    else:
        bad = tmp_path / "locked.key"
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", bad, "-passout", "pass:x"], check=True,
                       capture_output=True)
        key = bad
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  listen: ['127.0.0.1:%d']\n  %s\nmeters: []\n"
                    % (free_port(), tls_of((certificate, key))))
    for arguments in (["check-config", path], ["serve", "--config", path]):
        result = run(*arguments)
        assert result.returncode in (1, 2) and result.stdout == "", result
        assert str(bad) in result.stderr.splitlines()[-1]


def test_check_config_reads_the_files(files, tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  %s\nmeters: []\n" % tls_of(files))
    result = run("check-config", path)
    assert result.returncode == 0 and result.stderr == "", result
    assert str(files[0]) in result.stdout


LAUNCHER = ("import os, sys; n = int(sys.argv[1]); fds = [int(x) for x in sys.argv[2:2 + n]]; "
            "[os.dup2(fd, 3 + i) for i, fd in enumerate(fds)]; "
            "os.environ.update(LISTEN_FDS=str(n), LISTEN_PID=str(os.getpid())); "
            "os.execvp(sys.argv[2 + n], sys.argv[2 + n:])")


def test_sockets_from_systemd(start, authority, files, tmp_path):
    """TCP speaks TLS, unix stays plain."""
    path = tmp_path / "api.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        # Out of the way of the numbers that systemd uses.
        fds = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50) for s in (tcp, unix)]
        gateway = start("[]", http=tls_of(files), prefix=[sys.executable, "-c", LAUNCHER, "2", *map(str, fds)],
                        pass_fds=fds)
        gateway.http_port = tcp.getsockname()[1]
        for fd in fds:
            os.close(fd)
        with connect(gateway, authority.context()) as connection:
            assert ask(connection)[0] == 200
        gateway.unix = str(path)
        assert gateway.json("/healthz")["status"] == "ok"


def test_credentials_from_systemd(secure, authority, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o700)
    for source, name in zip(authority.make("credential"), ("certificate", "key")):
        os.replace(source, credentials / name)
    gateway = secure(tmp_path, http="tls: { certificate: 'credential:certificate', key: 'credential:key' }",
                     env={"CREDENTIALS_DIRECTORY": str(credentials)})
    with connect(gateway, authority.context()) as connection:
        assert ask(connection)[0] == 200
