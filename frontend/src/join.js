import htmx from "htmx.org";

// The secret of a link follows its `#`, which browsers send to no server: it goes in a body, once,
// and leaves the address bar.
export function join() {
  const place = document.querySelector("[data-join]");
  if (!place) return;
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  htmx.ajax("POST", "/join/look", { target: place, swap: "innerHTML", values: { secret } });
}
