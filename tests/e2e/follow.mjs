// Follow one execution from its first event to its last, with the stock client:
//
//     node follow.mjs http://127.0.0.1:3001 EXECUTION TOKEN [AFTER]
import { io } from "socket.io-client";

const [url, executionId, token, after = "0"] = process.argv.slice(2);
const socket = io(`${url}/executions`, { auth: { token } });
let last = Number(after);

socket.on("connect", () => {
  socket.emit("subscribe", { executionId, after: last }, (answer) => {
    if (!answer.ok) throw new Error(answer.error.message);
  });
});
socket.on("connect_error", (error) => {
  if (!socket.active) throw error; // refused; of any other trouble the client tries again
});
socket.onAny((type, event) => {
  if (event.seq === undefined) return; // presence and the like are not part of the log
  last = event.seq;
  console.log(JSON.stringify({ type, ...event }));
  if (type === "status" && ["completed", "failed", "cancelled"].includes(event.status)) socket.close();
});
