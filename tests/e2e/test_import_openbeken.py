"""A script for OpenBeken becomes a profile that serve takes, and its meter shows what the script would have shown."""
import re

from gateway import run, wait_until

CLAMP = """\
// PJ-MGW1103, 80 A clamp
startDriver TuyaMCU
// its UART is a fast one
tuyaMCU_setBaudRate 115200
tuyaMcu_defWiFiState 4   // or it measures nothing

// ask for all values, again and again
addRepeatingEvent 10 -1 uartSendHex 55AA0008000007

setChannelType 1 Voltage_div10
linkTuyaMCUOutputToChannel 20 val 1
setChannelType 2 Current_Div1000
linkTuyaMCUOutputToChannel 18 val 2
setChannelType 3 Power_Div10
linkTuyaMCUOutputToChannel 19 val 3
"""


def import_script(tmp_path, text, *options, name="autoexec.bat"):
    path = tmp_path / name
    path.write_text(text)
    return run("import-openbeken", *options, path)


def configuration(text):
    """The entry that stands as a comment below the rows, as people copy it."""
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ") or line == "#"]
    return "\n".join(lines[lines.index("meters:"):]) + "\n"


def test_its_result_runs(tmp_path, start, meter, mcu):
    """The raw numbers of the simulated meter are 77, 177 and 2403."""
    result = import_script(tmp_path, CLAMP, "--title", "Clamp in the hall")
    assert (result.returncode, result.stderr) == (0, "")
    (tmp_path / "my-meter.yaml").write_text(result.stdout)
    assert "baud: [115200]\npoll: 10s\n" in result.stdout

    # What check-config says about the entry that is printed with it.
    text = configuration(result.stdout).replace("/dev/serial/by-id/...", str(tmp_path / "main"))
    (tmp_path / "printed.yaml").write_text("http: { listen: ['127.0.0.1:0'] }\n" + text)
    checked = run("check-config", tmp_path / "printed.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    for line in ("profile      ./my-meter.yaml: Clamp in the hall", "baud         115200", "poll         10s"):
        assert re.search(r"^\s+" + re.escape(line), checked.stdout, re.MULTILINE), checked.stdout

    gateway = start([meter(profile=tmp_path / "my-meter.yaml")])
    gateway.wait_now(state="online", power_w=17.7, voltage_v=240.3, current_a=0.077)
    assert gateway.diagnostics("main")["profile"]["name"] == "my-meter"


def test_its_result_decodes(tmp_path):
    (tmp_path / "clamp.yaml").write_text(import_script(tmp_path, CLAMP).stdout)
    frames = ("55AA0307000812020004 0000004D76\n55AA03070008130200040000 00B1DB\n55AA030700081402000400000963 97\n")
    decoded = run("decode", "--protocol", "tuyamcu", "--profile", tmp_path / "clamp.yaml", "-",
                  input=frames.replace(" ", ""))
    assert decoded.returncode == 0, decoded.stderr
    assert re.findall(r'"readings":(\{.*?\})', decoded.stdout) == [
        '{"current_a":0.077}', '{"power_w":17.7}', '{"voltage_v":240.3}']


def test_a_direction_of_a_simulated_meter(tmp_path, start, meter, play):
    """A meter with two clamps, whose script puts sign and value together."""
    script = "startDriver TuyaMCU\n"
    for letter, power, direction, channel in (("A", 101, 102, 3), ("B", 105, 104, 5)):
        script += """
            setChannelType {c} Power_div10
            setChannelLabel {c} "Power ({l})"
            linkTuyaMCUOutputToChannel {p} 1 {c}
            setChannelType {d} ReadOnly
            linkTuyaMCUOutputToChannel {q} 1 {d}
            alias plus{l} setChannel 1{c} $CH{c}
            alias minus{l} setChannel 1{c} $CH{c}*-1
            alias both{l} if $CH{d}==0 then plus{l} else minus{l}
            addEventHandler OnChannelChange {c} both{l}
        """.format(l=letter, p=power, q=direction, c=channel, d=channel + 1)
    result = import_script(tmp_path, script)
    assert result.returncode == 0
    (tmp_path / "clamps.yaml").write_text(result.stdout)
    player = play("main", "--profile", "matsee-2way", "--interval", "250ms")
    gateway = start([meter(profile=tmp_path / "clamps.yaml", baud="auto")])

    def powers():
        channels = gateway.now("main").get("channels", {})
        return [channels.get(part, {}).get("power_w") for part in "ab"]

    player.tell("set a.power_w=55 b.power_w=-120")
    wait_until(lambda: powers() == [55, -120], what=powers)
    player.tell("set a.power_w=-30 b.power_w=40")
    wait_until(lambda: powers() == [-30, 40], what=powers)


def test_what_it_tells(tmp_path):
    script = CLAMP + "what is this\r\nuartSendHex 55AA0008000008\nsetChannelType 7 Voltage_div10\n"
    result = import_script(tmp_path, script, name="TOMPD-63 WIFI (1).bat")
    path = tmp_path / "TOMPD-63 WIFI (1).bat"
    notes = ["16: unknown command 'what', skipped", "17: uartSendHex: the checksum is 08 and should be 07, skipped",
             "18: channel 7 is a Voltage_div10, but no datapoint goes there"]
    assert result.returncode == 0
    assert result.stderr.splitlines() == ["metergate: %s:%s" % (path, note) for note in notes]
    assert all("#   " + note + "\n" in result.stdout for note in notes)
    assert result.stdout.startswith("name: tompd-63-wifi-1\n")

    piped = run("import-openbeken", "-", input=script)
    assert piped.returncode == 0
    assert piped.stdout.startswith("name: my-meter\n")
    assert piped.stderr.startswith("metergate: -:16: unknown command 'what', skipped\n")


def test_nothing_to_import(tmp_path):
    for text, line in (("", ""), ("startDriver TuyaMCU\nfrob 1\n", ":2: unknown command 'frob', skipped")):
        result = import_script(tmp_path, text)
        assert (result.returncode, result.stdout) == (1, "")
        assert line in result.stderr
        assert result.stderr.endswith("nothing to import: no line links a datapoint (linkTuyaMCUOutputToChannel)\n")
    # A file of another kind is not told line by line.
    result = import_script(tmp_path, "".join("2026-11-21 10:%02d:00,5\n" % i for i in range(60)))
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 12 and "and 50 more\n" in result.stderr
    result = import_script(tmp_path, "x\n" * 200000)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("longer than 256 KiB: no such script\n")
    assert run("import-openbeken", tmp_path / "missing.bat").returncode == 1


def test_usage(tmp_path):
    for options in (["--name", "No"], ["--name", ""], ["--name", "a" * 33], ["--title", "a\nb"], ["--title", ""],
                    ["--title", "a" * 96], ["--frob"], [], ["a", "b"]):
        path = [tmp_path / "x.bat"] if options and options[0].startswith("--") else []
        result = run("import-openbeken", *options, *path)
        assert (result.returncode, result.stdout) == (2, ""), options
        assert len(result.stderr.splitlines()) == 1, options
    assert run("import-openbeken", "--help").stdout.startswith("Usage: metergate import-openbeken ")
    named = import_script(tmp_path, CLAMP, "--name", "hall-2", "--title", "yes: \"no\"")
    assert named.stdout.startswith('name: hall-2\ntitle: "yes: \\"no\\""\n')
