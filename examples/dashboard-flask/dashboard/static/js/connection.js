// The connection: its state on the page, requests with an answer, and the way back after a loss.

const ANSWER_MS = 8000;
const chip = document.getElementById("chip-text");
const detail = document.getElementById("chip-detail");

/** Connects. `joined` is called on every connection, the first and those after a loss. */
export function connect({ joined, lost, updated, present }) {
  const socket = io({ reconnectionDelay: 500, reconnectionDelayMax: 3000 });
  const transport = () => { detail.textContent = socket.io.engine.transport.name === "websocket" ? "WebSocket" : "long-polling"; };

  socket.on("connect", () => {
    transport();
    socket.io.engine.on("upgrade", transport);
    joined();
  });
  socket.on("disconnect", (reason) => {
    say("reconnecting", "Reconnecting");
    lost();
    // The server ended it on purpose, so that the client does not try again by itself.
    if (reason === "io server disconnect") socket.connect();
  });
  socket.on("connect_error", () => {
    if (document.body.dataset.connection !== "connecting") return;
    say("reconnecting", "No connection");
    lost();
  });
  socket.io.on("reconnect_attempt", (attempt) => { detail.textContent = `attempt ${attempt}`; });
  socket.on("update_dashboard", updated);
  socket.on("presence", present);

  return {
    /** Sends an event; gives the answer back, or `null` without a connection: what was chosen is said when it is back. */
    async ask(event, data) {
      if (!socket.connected) return null;
      try {
        return await socket.timeout(ANSWER_MS).emitWithAck(event, data);
      } catch {
        return socket.connected ? { ok: false, message: "The server did not answer." } : null;
      }
    },
    live: () => say("live", "Live"),
    retry: () => socket.io.engine?.readyState !== "open" && socket.disconnect().connect(),
  };
}

function say(state, text) {
  document.body.dataset.connection = state;
  chip.textContent = text;
}
