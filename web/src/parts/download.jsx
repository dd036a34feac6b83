/* A link to a file of the gateway. Where a token is needed the browser's own download could not send it, so the page
 * fetches the file and hands it over. */
import { useState } from "preact/hooks";
import { askBlob, token } from "../api.js";
import { t } from "../i18n.js";
import { Icon } from "./icon.jsx";

async function handOver(path, name) {
  const address = URL.createObjectURL(await askBlob(path));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function Download({ path, name, label }) {
  const [failed, setFailed] = useState(false);
  const click = async (event) => {
    if (!token()) return;
    event.preventDefault();
    try {
      await handOver(path, name);
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  return (
    <a class="button" href={path} download={name} onClick={click}>
      <Icon name="save" />
      {failed ? t("download.failed") : label}
    </a>
  );
}
