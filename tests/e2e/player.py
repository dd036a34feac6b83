"""A simulated TuyaMCU meter of any profile."""
import json
import subprocess

from gateway import Lines, Process


class Player(Process):
    """A simulated meter that tells what has to be shown."""

    def __init__(self, folder, id, *options):
        self.id, self.link = id, folder / id
        super().__init__(folder, "simulate", "tuyamcu", "--link", self.link, "--expect", *options, name="play-" + id,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = Lines(self.process.stdout)
        self.output.wait(lambda line: line.startswith("/dev/"))

    def tell(self, text):
        start = len(self.output.lines)
        self.process.stdin.write((text + "\n").encode())
        self.process.stdin.flush()
        answer = json.loads(self.output.wait(lambda line: line.startswith('{"command":'), start))
        assert answer["ok"], answer

    def expected(self):
        return next(json.loads(line)["expect"] for line in reversed(self.output.lines)
                    if line.startswith('{"expect":'))

    def answer(self, command, start=0):
        line = self.output.wait(lambda text: text.startswith('{"answer":{"command":%d,' % command), start)
        return json.loads(line)["answer"]["data"]
