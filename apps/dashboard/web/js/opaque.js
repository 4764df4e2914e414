// Canvases without transparency: the browser then copies a chart's pixels into the page, and need not blend them with what
// lies below, which without a graphics processor is a third of that work (docs/performance.md).
//
// uPlot makes its canvas itself and asks for no attributes, so they are put in where it asks. Whoever draws on such a canvas
// has to paint its ground: cleared pixels are black.

/** Calls `make`, and gives its result back; a canvas whose context is first asked for in there is opaque. */
export function opaquely(make) {
  const canvas = HTMLCanvasElement.prototype;
  const { getContext } = canvas;
  canvas.getContext = function (kind, attributes) {
    return getContext.call(this, kind, { ...attributes, alpha: false });
  };
  try {
    return make();
  } finally {
    canvas.getContext = getContext;
  }
}
