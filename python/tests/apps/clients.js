// The client in JavaScript of the WSGI examples: goes through all that the page does, and prints what it saw as JSON.
// Run by test_app_wsgi_examples.py: `node clients.js URL TRANSPORT FOLDER-OF-NODE-MODULES`.
const [url, transport, modules] = process.argv.slice(2);
const { io } = require(require.resolve("socket.io-client", { paths: [modules] }));

const once = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

async function main() {
  const socket = io(url, { transports: [transport], auth: { token: "t" }, query: { who: "me" }, forceNew: true });
  const seen = {};
  socket.on("question", (question, answer) => answer(question.toUpperCase()));
  const hello = once(socket, "hello");
  await once(socket, "connect");
  seen.hello = await hello;
  const pong = once(socket, "pong_from_server");
  socket.emit("ping_from_client");
  seen.pong = await pong;
  seen.join = await socket.emitWithAck("join", { room: "r" });
  const told = once(socket, "my response");
  socket.emit("my room event", { room: "r", data: "hi" });
  seen.told = await told;
  const back = once(socket, "blob back");
  const acknowledged = await socket.emitWithAck("blob", { bytes: Buffer.from([1, 2, 3]) });
  seen.acknowledged = [...Buffer.from(acknowledged)];
  const [{ reversed, size }] = await back;
  seen.blob = { reversed: [...Buffer.from(reversed)], size };
  seen.asked = await socket.emitWithAck("ask me", "why");
  const gone = once(socket, "disconnect");
  socket.emit("disconnect request");
  seen.gone = (await gone)[0];
  console.log(JSON.stringify(seen));
  socket.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
