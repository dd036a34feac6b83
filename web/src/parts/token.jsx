import { useEffect, useRef, useState } from "preact/hooks";
import { forgetToken, isToken, isTokenKept, saveToken, token } from "../api.js";
import { t } from "../i18n.js";
import { start } from "../live.js";

/* Asks for the token, here because the gateway wants one or in the setup because the reader wants to give one. */
export function TokenForm({ refused, onDone }) {
  const [error, setError] = useState(refused ? "token.refused" : null);
  const field = useRef(null);
  const keep = useRef(null);
  useEffect(() => {
    if (!refused) return;
    forgetToken();
    setError("token.refused");
  }, [refused]);
  const submit = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (!isToken(text)) return setError("token.malformed");
    setError(null);
    saveToken(text, keep.current.checked);
    start();
    onDone?.();
  };
  return (
    <form id="login" class={onDone ? "login" : "card login"} onSubmit={submit}>
      <label for="token">{t(onDone ? "token.give" : "token.asked")}</label>
      <input
        class="hidden"
        type="text"
        autocomplete="username"
        value="metergate"
        tabIndex={-1}
        aria-hidden="true"
        readOnly
      />
      <div class="row">
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="current-password"
          required
          spellcheck={false}
          aria-describedby="login-error login-help"
          aria-invalid={error ? "true" : undefined}
        />
        <button class="primary" type="submit">
          {t("token.use")}
        </button>
      </div>
      <p id="login-error" class="error" role="status">
        {error ? t(error) : ""}
      </p>
      <label class="check">
        <input type="checkbox" ref={keep} />
        {t("token.keep")}
      </label>
      <p id="login-help" class="quiet">
        {t("token.help")}
      </p>
    </form>
  );
}

export function TokenState() {
  const [, again] = useState(0);
  if (!token()) return <TokenForm onDone={() => again((n) => n + 1)} />;
  return (
    <div class="row">
      <p>{t(isTokenKept() ? "token.kept" : "token.session")}</p>
      <button
        onClick={() => {
          forgetToken();
          again((n) => n + 1);
          start();
        }}
      >
        {t("token.forget")}
      </button>
    </div>
  );
}
