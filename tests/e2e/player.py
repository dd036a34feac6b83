"""Simulated meters that tell what has to be shown."""
import json
import subprocess

from gateway import Lines, Process


class Simulator(Process):
    """A simulated meter at the link folder/id that takes commands."""

    def __init__(self, protocol, folder, id, *options):
        self.id, self.link = id, folder / id
        super().__init__(folder, "simulate", protocol, "--link", self.link, "--expect", *options,
                         name="%s-%s" % (protocol, id), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = Lines(self.process.stdout)
        self.output.wait(lambda line: line.startswith("/dev/"))

    def tell(self, text):
        """A command, which has to be accepted."""
        start = len(self.output.lines)
        self.process.stdin.write((text + "\n").encode())
        self.process.stdin.flush()
        answer = json.loads(self.output.wait(lambda line: line.startswith('{"command":'), start))
        assert answer == {"command": text, "ok": True}, answer


class Player(Simulator):
    """A TuyaMCU meter of any profile."""

    def __init__(self, folder, id, *options):
        super().__init__("tuyamcu", folder, id, *options)

    def expected(self):
        return next(json.loads(line)["expect"] for line in reversed(self.output.lines)
                    if line.startswith('{"expect":'))

    def answer(self, command, start=0):
        line = self.output.wait(lambda text: text.startswith('{"answer":{"command":%d,' % command), start)
        return json.loads(line)["answer"]["data"]
