/* Server-sent events out of pieces of text: EventSource cannot send a token, so the stream is read by fetch. */
const LINE = /\r\n|\r|\n/;

/* Events with data; and one of type "" for an id that comes alone, which is a place to resume from all the same. */
export function createParser(onEvent) {
  let rest = "";
  let event = { type: "message", id: undefined, data: [] };

  function field(name, value) {
    if (name === "event") event.type = value;
    else if (name === "id") event.id = value;
    else if (name === "data") event.data.push(value);
  }

  function line(text) {
    if (text === "") {
      if (event.data.length > 0) onEvent({ type: event.type, id: event.id, data: event.data.join("\n") });
      else if (event.id !== undefined) onEvent({ type: "", id: event.id, data: "" });
      event = { type: "message", id: undefined, data: [] };
    } else if (!text.startsWith(":")) {
      const colon = text.indexOf(":");
      if (colon < 0) field(text, "");
      else field(text.slice(0, colon), text.slice(colon + 1).replace(/^ /, ""));
    }
  }

  return (piece) => {
    rest += piece;
    /* A CR at the end may be half of a CR LF. */
    const held = rest.endsWith("\r") ? "\r" : "";
    const lines = rest.slice(0, rest.length - held.length).split(LINE);
    rest = lines.pop() + held;
    lines.forEach(line);
  };
}
