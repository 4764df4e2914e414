// The five events on Socket.IO for Node. `node server.js PORT`

import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("echo", (x) => socket.emit("echo", x));
  socket.on("ack", (x, done) => done(x));
  socket.on("bcast", (x) => io.emit("bcast", x));
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("room", (room, x) => io.to(room).emit("room", x));
});

http.listen(Number(process.argv[2]), "127.0.0.1");
