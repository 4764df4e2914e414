// The bar at the bottom: what stands in the way, and what the viewer can do about it.

const bar = document.getElementById("trouble");

export function showTrouble(message, label, action) {
  const [text, button] = bar.children;
  text.textContent = message;
  button.textContent = label;
  button.onclick = action;
  bar.hidden = false;
}

export function hideTrouble() {
  bar.hidden = true;
}
