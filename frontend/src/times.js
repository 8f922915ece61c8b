// The server writes moments in UTC; readers see them in their own zone, and the UTC on hover.
const format = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime*=T]:not([title])")) {
    time.title = time.textContent;
    time.textContent = format.format(new Date(time.dateTime));
  }
}
