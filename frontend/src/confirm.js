// What cannot be undone is asked for by name: the button stays shut until the name is typed.
export function confirmByName() {
  const check = (field) => {
    const fits = field.value.trim() === field.dataset.confirm;
    field.setCustomValidity(fits ? "" : field.closest("label").firstChild.textContent.trim());
  };
  document.body.addEventListener("input", (event) => {
    if (event.target.matches("[data-confirm]")) check(event.target);
  });
  document.querySelectorAll("[data-confirm]").forEach(check);
}
