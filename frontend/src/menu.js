// On wide screens the menu is a bar that is always open; on phones it is closed at first.
export function menu() {
  const details = document.querySelector("[data-menu]");
  if (!details) return;
  const wide = window.matchMedia("(min-width: 64rem)");
  const fit = () => (details.open = wide.matches);
  wide.addEventListener("change", fit);
  fit();
}
