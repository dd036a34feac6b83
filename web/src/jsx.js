/* What the compiled JSX calls; esbuild puts it into each file that needs it. */
export { Fragment, h } from "preact";
