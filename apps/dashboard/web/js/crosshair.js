// One moment that all charts point at: set by the mouse on one of them, or by the keyboard.
//
// It holds a time, not a pixel, so it stays on its moment while the charts stream past below it.

const listeners = new Set();
let time = null;

export const crosshair = {
  get time() {
    return time;
  },
  set(t) {
    if (t === time) return;
    time = t;
    listeners.forEach((listener) => listener(time));
  },
  listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
