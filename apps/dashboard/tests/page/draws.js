// Counts how often each chart's canvas is drawn, from outside of the page: uPlot clears it once at the start of a drawing.

/** To be called before the page is opened. */
export function countDraws(page) {
  return page.addInitScript(() => {
    const { clearRect } = CanvasRenderingContext2D.prototype;
    const panelOf = (canvas) => canvas.closest("[data-panel]")?.dataset.panel;
    globalThis.draws = [];
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
      // The frame's time is the same for all that is drawn in one frame.
      globalThis.draws.push({ panel: panelOf(this.canvas), frame: document.timeline.currentTime });
      return clearRect.apply(this, box);
    };
  });
}

/** What was drawn since the last call, as `{panel, frame}`. */
export function takeDraws(page) {
  return page.evaluate(() => globalThis.draws.splice(0));
}
