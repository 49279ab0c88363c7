// What a NestJS gateway runs on: Socket.IO with its default settings, rooms, no store, no auth.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((_, response) => response.end("ok"));
const io = new Server(http);
const viewers = io.of("/executions");

viewers.on("connection", (socket) => {
  socket.on("subscribe", (executionId, answer) => {
    socket.join(executionId);
    answer({ ok: true, executionId });
  });
});

io.of("/executor").on("connection", (socket) => {
  socket.on("log", (payload, answer) => {
    viewers.to(payload.executionId).emit("log", payload);
    answer?.();
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1");
