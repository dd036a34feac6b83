/* What other programs need to read the gateway, ready to be copied. */
import { useState } from "preact/hooks";
import { askText, query, token } from "../api.js";
import { t } from "../i18n.js";
import { CopyButton, Failure, useAnswer } from "../parts/common.jsx";
import { TokenState } from "../parts/token.jsx";
import { scrapeConfig } from "../prometheus.js";

const here = () => location.href.split(/[?#]/)[0].replace(/\/[^/]*$/, "");

function Block({ id, title, help, text, error, children }) {
  return (
    <section class="card" aria-labelledby={id}>
      <div class="head">
        <h2 id={id}>{title}</h2>
        {text && <CopyButton text={text} />}
      </div>
      <p>{help}</p>
      {children}
      <Failure error={error} />
      {text && (
        <pre tabIndex={0} role="group" aria-labelledby={id}>
          {text}
        </pre>
      )}
    </section>
  );
}

function HomeAssistant() {
  const [url, setUrl] = useState(here());
  const valid = /^https?:\/\/[^\s"]+$/.test(url);
  const { data, error } = useAnswer(
    (signal) => (valid ? askText(`api/v1/home-assistant.yaml?${query({ url })}`, signal) : null),
    [url],
  );
  return (
    <Block
      id="home-assistant"
      title="Home Assistant"
      help={t("setup.ha")}
      text={valid ? data : null}
      error={valid ? error : null}
    >
      <label class="field">
        {t("setup.url")}
        <input
          type="url"
          value={url}
          spellcheck={false}
          onInput={(event) => setUrl(event.target.value.trim().replace(/\/+$/, ""))}
        />
      </label>
      {token() && <p class="quiet">{t("setup.ha.token")}</p>}
    </Block>
  );
}

export function Setup() {
  const config = scrapeConfig(
    { protocol: location.protocol, host: location.host, path: location.pathname },
    token() !== null,
  );
  return (
    <div class="columns">
      <HomeAssistant />
      <Block id="prometheus" title="Prometheus" help={t("setup.prometheus")} text={config} />
      <section class="card" aria-labelledby="access">
        <h2 id="access">{t("setup.access")}</h2>
        <p>{t("setup.access.help")}</p>
        <TokenState />
      </section>
      <section class="card" aria-labelledby="data">
        <h2 id="data">{t("setup.data")}</h2>
        <p>{t("setup.data.help")}</p>
        <ul>
          <li>
            <a href="api/v1/meters">api/v1/meters</a>
          </li>
          <li>
            <a href="metrics">metrics</a>
          </li>
          <li>
            <a href="api/v1/home-assistant.yaml">api/v1/home-assistant.yaml</a>
          </li>
        </ul>
      </section>
    </div>
  );
}
