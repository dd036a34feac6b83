"""Examples of the documentation: what is asked, what is printed, and whether an answer has that form."""
import json
import re

MORE = object()      # what "..." stands for

FENCE = re.compile(r"(?:^<!-- not run: .*-->\n+)?^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")


class Example:
    def __init__(self, file, line, command, printed):
        self.file, self.line, self.command, self.printed = file, line, command, printed

    @property
    def name(self):
        return "%s:%d %s" % (self.file, self.line, re.sub(r"^curl |http://127.0.0.1:8730", "", self.command)[:70])


def examples(path):
    """Of each console block of a page, its commands with what is printed below them."""
    text, found = path.read_text(), []
    for block in FENCE.finditer(text):
        if block.group(0).startswith("<!--"):
            continue
        line = text.count("\n", 0, block.start(1)) + 1
        for part in re.split(r"^(?=\$ )", block.group(1), flags=re.MULTILINE):
            if part.startswith("$ "):
                command, _, printed = part[2:].replace("\\\n", " ").partition("\n")
                found.append(Example(path.name, line, " ".join(command.split()), printed))
            line += part.count("\n")
    return found


# --- JSON with "..." in it, broken to fit ---

class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def peek(self):
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at:self.at + 1]

    def take(self, word):
        if self.peek() and self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def value(self):
        if self.take("..."):
            return MORE
        if self.take("{"):
            return dict(self.items("}", self.pair))
        if self.take("["):
            return list(self.items("]", self.value))
        if self.peek() == '"':
            return self.string()
        word = re.compile(r"true|false|null|" + NUMBER.pattern).match(self.text, self.at)
        assert word, "no JSON from here on: %r" % self.text[self.at:self.at + 40]
        self.at = word.end()
        return json.loads(word.group())

    def string(self):
        found = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(self.text, self.at)
        assert found, "an open string: %r" % self.text[self.at:self.at + 40]
        self.at = found.end()
        return json.loads(found.group().replace("\n", " "))

    def pair(self):
        if self.take("..."):
            return MORE, MORE
        self.peek()
        key = self.string()
        assert self.take(":"), "no value of %s" % key
        return key, self.value()

    def items(self, end, read):
        while not self.take(end):
            assert self.peek(), "ends in the middle"
            yield read()
            self.take(",")


def read_json(text):
    """All values of the text, one after the other."""
    reader, values = Reader(text), []
    while reader.peek():
        values.append(reader.value())
    return values


# --- whether an answer has the form of what is printed ---

def kind(value):
    return "a number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def compare_objects(printed, actual, where):
    keys = [key for key in printed if key is not MORE]
    there = [key for key in actual if key in keys] if MORE in printed else list(actual)
    if keys != there:
        return "%s: printed with %s; there is %s" % (where, ", ".join(keys), ", ".join(actual))
    return next(filter(None, (compare(printed[key], actual[key], "%s.%s" % (where, key)) for key in keys)), None)


def compare_lists(printed, actual, where):
    """Each printed element has its like, in the same order; there may be more and fewer of a kind."""
    rest, wrong = list(actual), None
    for item in printed:
        mistakes = [compare(item, other, "%s[]" % where) for other in rest]
        if None not in mistakes and not any(compare(item, other, where) is None for other in actual):
            wrong = wrong or (mistakes or ["%s[]: printed, and the answer is empty" % where])[0]
        elif None in mistakes:
            rest = rest[mistakes.index(None) + 1:]
    return wrong


def compare(printed, actual, where=""):
    """None, or what is different. A value that is not known has any form."""
    if printed is MORE or printed is None or actual is None:
        return None
    if kind(printed) != kind(actual):
        return "%s: printed %r, there is %r" % (where, printed, actual)
    if isinstance(printed, dict):
        return compare_objects(printed, actual, where)
    if where in (".title", ".detail") and form(printed) != form(actual):
        return "%s: printed %r, there is %r" % (where, printed, actual)
    return compare_lists(printed, actual, where) if isinstance(printed, list) else None


def form(line):
    """A line of text without its times and numbers."""
    return NUMBER.sub("N", TIME.sub("T", line.rstrip()))


def compare_lines(printed, actual):
    """Printed lines come in this order; between them and after them may be others."""
    there = [form(line) for line in actual.splitlines()]
    for line in printed.splitlines():
        if line.strip() in ("", "..."):
            continue
        if form(line) not in there:
            return "no line like %r; there is %r" % (line, actual[:2000])
        there = there[there.index(form(line)) + 1:]
    return None


def compare_table(printed, actual):
    """CSV: the same columns, and cells in all of them."""
    head, rows = actual.splitlines()[0], [line for line in printed.splitlines()[1:] if line != "..."]
    if printed.splitlines()[0] != head:
        return "printed with the columns %s; there is %s" % (printed.splitlines()[0], head)
    if len(actual.splitlines()) < 2:
        return "there are no rows"
    wrong = [row for row in rows if row.count(",") != head.count(",")]
    return "a row of another length: %s" % wrong[0] if wrong else None


def compare_json(printed, actual):
    found, there = read_json(printed), read_json(actual)
    if len(found) == len(there) == 1:
        return compare(found[0], there[0])
    return compare_lists(found, there, "line")


def stream_events(text):
    """Server-sent events: field by field."""
    return [[line.partition(":")[::2] for line in block.splitlines() if line.strip() not in ("", "...")]
            for block in re.split(r"\n\s*\n", text) if block.strip() not in ("", "...")]


def compare_event(printed, actual):
    if [name for name, _ in printed] != [name for name, _ in actual]:
        return "printed with %r; there is %r" % (printed, actual)
    for (name, text), (_, there) in zip(printed, actual):
        if name == "event" and text != there:
            return "no event %s" % text
        wrong = name == "data" and compare_json(text, there)
        if wrong:
            return wrong
    return None


def compare_events(printed, actual):
    there = stream_events(actual)
    for event in stream_events(printed):
        mistakes = [compare_event(event, other) for other in there]
        if None not in mistakes:
            return "no such event: %r; %s" % (event, mistakes[:5])
    return None


def compare_texts(content_type, printed, actual):
    """None, or what is different."""
    if content_type.endswith("json"):
        return compare_json(printed, actual)
    if content_type == "text/csv":
        return compare_table(printed, actual)
    if content_type == "text/event-stream":
        return compare_events(printed, actual)
    return compare_lines(printed, actual)
