// A wire that makes ten ticks a second out of the one that a stream has: what a page costs whose numbers come that fast.
//
// The values go from those of the tick before to those of the server's in ten steps, a tenth of a second apart in time and in
// fact, and the numbers go on without a gap. Nothing else is touched. The browser's processes have no part in it.

import { connect, createServer } from "node:net";
import { once } from "node:events";

const TIMES = 10;
const PREFIX = "42[\"update_dashboard\",";

/** Leads to `port`; gives its address back, and how to stop it. */
export async function startQuickWire(port) {
  const open = new Set();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const quick = new Quickener(near);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on("error", () => one.destroy());
      one.on("close", () => { open.delete(one); quick.stop(); other.destroy(); });
    }
    near.pipe(far);
    far.on("data", (bytes) => quick.take(bytes));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    stop() {
      open.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

/** One connection's way to the browser: HTTP as it is, WebSocket frames one by one. */
class Quickener {
  constructor(near) {
    this.near = near;
    this.rest = Buffer.alloc(0);
    this.kind = null;
    this.seq = null;
    this.before = {};
    this.timer = null;
  }

  stop() {
    clearInterval(this.timer);
  }

  take(bytes) {
    this.kind ??= bytes.toString("latin1", 0, 13) === "HTTP/1.1 101 " ? "head" : "http";
    if (this.kind === "http") return this.near.write(bytes);
    this.rest = Buffer.concat([this.rest, bytes]);
    if (this.kind === "head") {
      const end = this.rest.indexOf("\r\n\r\n");
      if (end < 0) return undefined;
      this.near.write(this.#cut(end + 4));
      this.kind = "frames";
    }
    for (let size = frameSize(this.rest); size !== null && this.rest.length >= size; size = frameSize(this.rest)) this.#frame(this.#cut(size));
    return undefined;
  }

  #cut(size) {
    const part = this.rest.subarray(0, size);
    this.rest = this.rest.subarray(size);
    return part;
  }

  #frame(frame) {
    const text = frame[0] === 0x81 ? frame.toString("utf8", payloadStart(frame)) : "";
    // A backfill says at which number the page goes on.
    const place = text.includes("\"backfill\"") && text.match(/"seq":(\d+)/);
    if (place) {
      this.stop();
      this.seq = Number(place[1]);
    }
    if (!text.startsWith(PREFIX)) return void this.near.write(frame);
    const tick = JSON.parse(text.slice(PREFIX.length, -1));
    this.stop();
    this.seq ??= tick.seq - 1;
    const { before } = this;
    this.before = tick.cols;
    let sent = 0;
    const next = () => {
      this.seq += 1;
      const t = tick.t + sent / TIMES;
      const late = sent === 0 ? tick.late : null;
      sent += 1;
      const cols = { ...between(before, tick.cols, sent / TIMES), t: [t] };
      this.near.write(textFrame(`${PREFIX}${JSON.stringify({ ...tick, seq: this.seq, t, cols, late })}]`));
      if (sent === TIMES) this.stop();
    };
    next();
    this.timer = setInterval(next, 1000 / TIMES);
  }
}

/** The values at a part of the way. */
function between(before, after, part) {
  return Object.fromEntries(Object.entries(after).map(([name, [value]]) => [name, [value + ((before[name]?.[0] ?? value) - value) * (1 - part)]]));
}

/** How long the frame is that begins here; null while that is not known. A server's frames have no mask. */
function frameSize(bytes) {
  if (bytes.length < 2 || bytes.length < payloadStart(bytes)) return null;
  const short = bytes[1];
  const size = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  return payloadStart(bytes) + size;
}

function payloadStart(frame) {
  return { 126: 4, 127: 10 }[frame[1]] ?? 2;
}

function textFrame(text) {
  const payload = Buffer.from(text);
  const head = Buffer.from(payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 255]);
  if (payload.length > 0xffff) throw new Error("a tick of more than 64 KiB");
  return Buffer.concat([head, payload]);
}
