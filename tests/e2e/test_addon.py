"""The Home Assistant add-on, as far as it can be checked without Docker: what its options become, and whether its parts
agree with each other and with the rest of the project."""
import json
import os
import re
import subprocess

import pytest

from gateway import BINARY, TOP, run

FOLDER = TOP / "etc" / "home-assistant" / "addon"
DOCKERFILE = FOLDER / "Dockerfile"
PORT = 8730


@pytest.fixture
def addon(tmp_path):
    """addon(options) is the configuration that the run script makes of them."""
    def start(options, own=None):
        (tmp_path / "options.json").write_text(json.dumps(options))
        if own is not None:
            (tmp_path / "own.yaml").write_text(own)
        result = subprocess.run(
            ["sh", FOLDER / "run.sh"], capture_output=True, text=True,
            env={**os.environ, "ADDON_OPTIONS": str(tmp_path / "options.json"), "ADDON_DATA": str(tmp_path),
                 "ADDON_CONFIG": str(tmp_path / "own.yaml"), "METERGATE": "/bin/echo"})
        assert (result.returncode, result.stderr) == (0, "")
        words = result.stdout.splitlines()[-1].split()
        assert words[:2] == ["serve", "--config"]
        return words[2]

    return start


METERS = [{"id": "main", "name": "House \"main\" ä: #1", "protocol": "tuyamcu", "port": "/dev/ttyUSB0", "baud": "auto",
           "profile": ""},
          {"id": "utility", "protocol": "vue", "port": "tcp://10.0.0.5:3001", "name": None}]


def test_options_become_a_configuration(addon):
    path = addon({"history_size": "16MiB", "hosts": ["homeassistant.local", "ha.example"], "meters": METERS})
    shown = run("check-config", path)
    assert (shown.returncode, shown.stderr) == (0, "")
    for words in ("0.0.0.0:%d" % PORT, "ha.example", 'House "main" ä: #1', "/dev/ttyUSB0", "tcp://10.0.0.5:3001"):
        assert words in shown.stdout


@pytest.mark.parametrize("options", [{}, {"meters": []}, {"hosts": [], "meters": None}])
def test_no_options_are_a_configuration_too(addon, options):
    assert run("check-config", addon(options)).returncode == 0


def test_a_mistake_is_told_by_the_gateway(addon):
    result = run("check-config", addon({"meters": [{"id": "Main", "protocol": "vue", "port": "/dev/ttyUSB0"}]}))
    assert result.returncode == 2 and "id" in result.stderr and result.stderr.count("\n") == 1


def test_a_file_of_ones_own_wins(addon, tmp_path):
    assert addon({"meters": METERS}, own="meters: []\n") == str(tmp_path / "own.yaml")


# ---- its parts agree ----

def manifest():
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    return yaml.safe_load((FOLDER / "config.yaml").read_text())


def test_manifest():
    m = manifest()
    for key in ("name", "version", "slug", "description", "arch"):
        assert m[key], key
    assert re.fullmatch("[-_.A-Za-z0-9]+", m["slug"])
    assert m["version"] == re.search(r"AC_INIT\(\[metergate\], \[(.*?)\]\)", (TOP / "configure.ac").read_text())[1]
    assert set(m["arch"]) <= {"aarch64", "amd64", "armhf", "armv7", "i386"}
    assert m["startup"] in ("initialize", "system", "services", "application", "once")
    assert m["ingress"] is True and m["uart"] is True and m["init"] is False
    assert m["ingress_port"] == PORT and list(m["ports"]) == ["%d/tcp" % PORT]
    assert "0.0.0.0:%d" % PORT in (FOLDER / "run.sh").read_text()
    # Not open to the network unless somebody says so.
    assert m["ports"]["%d/tcp" % PORT] is None


def fits(form, value):
    """As Home Assistant's supervisor reads a schema."""
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(form[0], v) for v in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(fits(form[k], v) for k, v in value.items() if v not in ("", None)) \
            and all(k in value for k, f in form.items() if not str(f).endswith("?"))
    kind, _, argument = form.rstrip("?").partition("(")
    argument = argument.rstrip(")") if not form.rstrip("?").endswith("))") else argument[:-1]
    if kind == "match":
        return re.match(argument, value) is not None
    return value in argument.split("|") if kind == "list" else kind == "str" and isinstance(value, str)


def test_defaults_and_examples_fit_the_schema():
    m = manifest()
    assert set(m["options"]) == set(m["schema"]) and fits(m["schema"], m["options"])
    example = {"history_size": "16MiB", "hosts": ["ha.example"], "meters": METERS}
    assert fits(m["schema"], example)
    for bad in ({**example, "history_size": "much"}, {**example, "hosts": ["a b"]},
                {**example, "meters": [{**METERS[0], "protocol": "modbus"}]}, {"hosts": [], "meters": []}):
        assert not fits(m["schema"], bad), bad


def packages(stage):
    install = re.findall(r"--no-install-recommends \\\n((?: +.*\\\n| +.*\n)+?)(?=COPY| +&&|RUN)",
                         DOCKERFILE.read_text())
    return {word for word in install[stage].split() if word != "\\"}


def test_image_is_built_with_what_the_build_needs():
    """The list of ./bootstrap, without what only a checkout needs: a tarball has its ./configure."""
    listed = re.search(r"^build_packages='(.*?)'", (TOP / "bootstrap").read_text(), re.MULTILINE | re.DOTALL)[1]
    wanted = {word.split("|")[0] for word in listed.split()} - {"autoconf", "automake", "nodejs", "npm"}
    assert packages(0) == wanted


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except FileNotFoundError:
        pytest.skip("%s is not here" % command[0])


def test_image_has_the_libraries_of_the_binary():
    """By the packages that they come from here, without what every image has and what only sanitizers need."""
    needed = set(re.findall(r"NEEDED +(\S+)", output("objdump", "-p", BINARY)))
    paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", output("ldd", BINARY), re.MULTILINE))
    owners = {output("dpkg", "-S", os.path.realpath(paths[name])).partition(":")[0] for name in needed}
    owners = {o for o in owners if o and not re.match("libc6|libasan|libubsan|libgcc", o)}
    assert len(owners) >= 5 and owners <= packages(1), owners - packages(1)


def test_dockerfile_copies_what_is_there():
    text = DOCKERFILE.read_text()
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE)
    assert copied == ["metergate-*.tar.gz", "run.sh"]
    assert (FOLDER / "run.sh").exists()
    script = re.search(r"^COPY run\.sh (\S+)$", text, re.MULTILINE)[1]
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1])[-1] == script
    binary = re.search(r"^COPY --from=build \S+ (\S+)$", text, re.MULTILINE)[1]
    assert "METERGATE:-%s}" % binary in (FOLDER / "run.sh").read_text()
