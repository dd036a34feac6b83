/* Line icons of our own, 24 units wide. They only repeat what the words beside them say. */
const PATHS = {
  live: "M3 12h4l3-8 4 16 3-8h4",
  history: "M3 20h18M4 16l5-6 4 3 7-9",
  energy: "M5 20v-6M10 20V8M15 20v-9M20 20V4",
  meters: "M12 4a9 9 0 0 1 9 9 9 9 0 0 1-2 5H5a9 9 0 0 1-2-5 9 9 0 0 1 9-9zM12 13l4-4",
  setup: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  save: "M12 4v11M7 11l5 5 5-5M4 20h16",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  out: "M16 16l5 5M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM7 10h6",
  in: "M16 16l5 5M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM7 10h6M10 7v6",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  down: "M12 4v15M6 13l6 6 6-6",
  up: "M12 20V5M6 11l6-6 6 6",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
};

export function Icon({ name }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
