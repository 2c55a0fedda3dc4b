// The text that an annotator is asked to agree to: rendered as the guidelines are. Without this it stands there as written.

import { render } from "./markdown.js";

const place = document.getElementById("consent-text");
if (place) {
  place.replaceChildren(render(place.textContent));
  place.classList.add("rendered");
}

const print = document.getElementById("print");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
