// Two devices for devices.rs: one answers, one is slow. Needs `npm install socket.io-client`; run with `node devices.mjs`.
import { io } from "socket.io-client";

for (const [device, delay] of [["pump", 10], ["valve", 5000]]) {
  const auth = { device, token: `secret of ${device} in north` };
  const socket = io("http://127.0.0.1:5000/site/north", { auth, forceNew: true });
  socket.on("connect", () => console.log(device, "is connected"));
  socket.on("connect_error", (error) => console.log(device, error.message, error.data));
  socket.on("command", (command, ack) => setTimeout(ack, delay, { device, command, done: true }));
}
