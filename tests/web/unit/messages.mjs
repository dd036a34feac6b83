import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES, pickLanguage, pickLocale } from "../../../web/src/i18n.js";
import { messages } from "../../../web/src/messages.js";
import { said } from "../../../web/src/said.js";

const SOURCE = new URL("../../../web/src/", import.meta.url);
const places = (text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

function sources() {
  return ["", "pages/", "parts/"]
    .flatMap((folder) =>
      readdirSync(new URL(folder, SOURCE))
        .filter((name) => /\.jsx?$/.test(name) && name !== "messages.js")
        .map((name) => readFileSync(new URL(folder + name, SOURCE), "utf8")),
    )
    .join("\n");
}

test("each language has each message, with the same places", () => {
  const columns = Object.keys(LANGUAGES).length;
  for (const [key, texts] of Object.entries(messages)) {
    assert.equal(texts.length, columns, key);
    for (const text of texts) {
      assert.ok(typeof text === "string" && text.trim() === text && text !== "", key);
      assert.deepEqual(places(text), places(texts[0]), key);
    }
  }
});

test("each sentence of the gateway has each language but English", () => {
  for (const [text, texts] of Object.entries(said)) {
    assert.equal(texts.length, Object.keys(LANGUAGES).length - 1, text);
    for (const translation of texts) assert.ok(translation && translation !== text, text);
  }
});

test("each message that the page asks for by name is there", () => {
  const asked = [...sources().matchAll(/\bt\("([^"]+)"/g)].map(([, key]) => key);
  assert.ok(asked.length > 80);
  for (const key of asked) assert.ok(key in messages, key);
});

/* Keys made of parts, t(`state.${state}`), are used by their beginning; others by their name somewhere in the code. */
test("no message is left over", () => {
  const text = sources();
  const beginnings = [...text.matchAll(/`([a-z_]+[.-](?:[a-z]+[.-])?|history\.preset)\$\{/g)].map(
    ([, begin]) => begin,
  );
  const groups = ["framing.", "counters.", "withheld."];
  for (const key of Object.keys(messages))
    assert.ok(text.includes(`"${key}"`) || [...beginnings, ...groups].some((begin) => key.startsWith(begin)), key);
});

test("the reader's first language that there is", () => {
  assert.equal(pickLanguage(["fr-FR", "pl", "en"], null), "pl");
  assert.equal(pickLanguage(["fr-FR"], null), "en");
  assert.equal(pickLanguage(["pl"], "de"), "de");
  assert.equal(pickLanguage(["pl"], "xx"), "pl");
});

test("numbers as where the reader lives, where that is known", () => {
  assert.equal(pickLocale("de", ["en-US", "de-AT"]), "de-AT");
  assert.equal(pickLocale("pl", ["en-US"]), "pl");
});
