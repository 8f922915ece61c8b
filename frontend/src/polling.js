// Parts of a page that ask for themselves again do not while nobody looks, nor while somebody is
// in the middle of something in them: what one reads or types is not taken away.
export function politePolling() {
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (!part.matches("[data-polls]")) return;
    if (document.hidden || part.querySelector("form:focus-within, details[open] form")) {
      event.preventDefault();
    }
  });
}
