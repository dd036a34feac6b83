/* The frame around the pages: name, connection, navigation, and what stands in their way. */
import { render } from "preact";
import { useEffect, useErrorBoundary, useRef, useState } from "preact/hooks";
import { currentLanguage, LANGUAGES, setLanguage, startLanguage, t } from "./i18n.js";
import { followVisibility, gateway, start } from "./live.js";
import { Energy } from "./pages/energy.jsx";
import { History } from "./pages/history.jsx";
import { Live } from "./pages/live.jsx";
import { Meters } from "./pages/meters.jsx";
import { Setup } from "./pages/setup.jsx";
import { Icon } from "./parts/icon.jsx";
import { TokenForm } from "./parts/token.jsx";
import { formatRoute, PAGES, parseRoute } from "./route.js";
import { useStore } from "./store.js";
import { currentTheme, setTheme, startTheme, THEMES } from "./theme.js";

const VIEWS = { live: Live, history: History, energy: Energy, meters: Meters, setup: Setup };

function useRoute() {
  const [route, setRoute] = useState(parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", follow);
    addEventListener("popstate", follow);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("popstate", follow);
    };
  }, []);
  return route;
}

function Connection({ phase, way }) {
  return (
    <p id="connection" class="connection" data-phase={phase} data-way={way} role="status">
      {t(`connection.${phase}`)}
    </p>
  );
}

function Choice({ label, value, options, onChange, icon }) {
  return (
    <label class="choice">
      <Icon name={icon} />
      <span class="hidden">{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key} selected={key === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Preferences({ onLanguage }) {
  const [theme, choose] = useState(currentTheme());
  return (
    <div class="preferences">
      <Choice
        icon="globe"
        label={t("language")}
        value={currentLanguage()}
        options={Object.entries(LANGUAGES)}
        onChange={onLanguage}
      />
      <Choice
        icon="moon"
        label={t("theme")}
        value={theme}
        options={THEMES.map((key) => [key, t(`theme.${key}`)])}
        onChange={(key) => {
          setTheme(key);
          choose(key);
        }}
      />
    </div>
  );
}

function Navigation({ page }) {
  return (
    <nav class="pages" aria-label={t("nav")}>
      {PAGES.map((name) => (
        <a key={name} href={formatRoute(name)} aria-current={name === page ? "page" : undefined}>
          <Icon name={name} />
          <span>{t(`nav.${name}`)}</span>
        </a>
      ))}
    </nav>
  );
}

function Notices({ state }) {
  const { service, health, phase, error, firstVersion } = state;
  return (
    <>
      {phase === "lost" && (
        <p class="notice alert" role="alert">
          {t("lost.text", { reason: error ?? t("lost.silence") })}
        </p>
      )}
      {health?.history === "failing" && (
        <p class="notice" role="status">
          {t("history.failing", { reason: service?.history?.error ?? "" })}
        </p>
      )}
      {service && firstVersion !== service.version && (
        <p class="notice" role="status">
          {t("newer", { version: service.version })}{" "}
          <button class="plain" onClick={() => location.reload()}>
            {t("reload")}
          </button>
        </p>
      )}
    </>
  );
}

function Broken({ error }) {
  return (
    <div class="notice alert" role="alert">
      <p>{t("broken", { reason: String(error?.message ?? error) })}</p>
      <button onClick={() => location.reload()}>{t("reload")}</button>
    </div>
  );
}

function Page({ route }) {
  const [error] = useErrorBoundary();
  const View = VIEWS[route.page];
  return error ? <Broken error={error} /> : <View view={route.view} />;
}

/* The new page is said by a screen reader, and the keyboard goes on from its top. */
function usePageFocus(page) {
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) {
      main.current.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [page]);
  return main;
}

function App() {
  const route = useRoute();
  const state = useStore(gateway);
  const [language, chooseLanguage] = useState(currentLanguage());
  const main = usePageFocus(route.page);
  const site = state.service?.site ?? "Metergate";
  useEffect(() => {
    document.title = `${t(`nav.${route.page}`)} \u00b7 ${site}`;
  }, [route.page, site, language]);
  const onLanguage = (key) => {
    setLanguage(key, { remember: true });
    chooseLanguage(key);
  };
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current.focus();
        }}
      >
        {t("skip")}
      </a>
      <header class="top">
        <img src="favicon.svg" alt="" width="26" height="26" />
        <p id="site" class="site">
          {site}
        </p>
        <Navigation page={route.page} />
        <Connection phase={state.phase} way={state.way} />
      </header>
      <main id="main" ref={main} tabIndex={-1} data-page={route.page} data-language={language}>
        <h1 class={route.page === "live" ? "hidden" : undefined}>{t(`nav.${route.page}`)}</h1>
        <Notices state={state} />
        {state.phase === "token" ? (
          <TokenForm refused={state.refusedToken} />
        ) : (
          <Page key={route.page} route={route} />
        )}
      </main>
      <footer>
        <span id="version">{`Metergate ${state.service?.version ?? ""}`}</span>
        <Preferences onLanguage={onLanguage} />
      </footer>
    </>
  );
}

startTheme();
startLanguage();
followVisibility();
start();
render(<App />, document.getElementById("app"));
