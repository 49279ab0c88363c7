// Viewers on the stock client that check what they see as they see it, and keep nothing of it:
//
//     node viewers.mjs '{"url", "token", "viewers": [{"executions": [id, …], …}, …]}'
//
// A viewer's members: `executions`; `options` (of the client); `drops`: it loses its first
// connection after so many events, its second after so many, and so on. Prints
// {viewer, note: "subscribed", executionId} for each subscription, {viewer, wrong} for what must
// not be, and at the end of each execution {viewer, executionId, seen, digest, connects};
// `digest` is as `judge.py` makes it.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const { io } = createRequire(new URL("../e2e/package.json", import.meta.url))("socket.io-client");

const { url, token, viewers } = JSON.parse(process.argv[2]);
const TERMINAL = ["completed", "failed", "cancelled"];

function say(viewer, what) {
  process.stdout.write(`${JSON.stringify({ viewer, ...what })}\n`);
}

function line(type, event) {
  const { seq, attempt, timestamp, nodeId = "", status = "", log = {} } = event;
  return [seq, attempt, type, timestamp, nodeId, status, log.id ?? "", log.message ?? ""].join(" ");
}

function view({ executions, options, drops = [] }, viewer) {
  const open = new Map(
    executions.map((id) => [id, { seen: 0, hash: createHash("sha256") }]),
  );
  const socket = io(`${url}/executions`, { auth: { token }, forceNew: true, ...options });
  const wanted = [...drops];
  let since = 0; // events of this connection
  let connects = 0;
  let dropped = false; // what the client had taken in before is lost with the connection

  socket.on("connect", () => {
    connects += 1;
    since = 0;
    dropped = false;
    for (const [executionId, { seen }] of open) {
      socket.emit("subscribe", { executionId, after: seen }, (answer) => {
        if (answer.ok) say(viewer, { note: "subscribed", executionId });
        else if (answer.error.code !== "unavailable") say(viewer, { wrong: answer.error.message });
        else socket.io.engine.close();
      });
    }
  });
  socket.on("connect_error", (error) => {
    if (!socket.active) say(viewer, { wrong: `refused: ${error.message}` });
  });
  socket.on("reset", (reset) => say(viewer, { wrong: `reset ${reset.reason}` }));
  socket.onAny((type, event) => {
    if (event.seq === undefined || dropped) return;
    const { executionId, seq } = event;
    const one = open.get(executionId);
    if (one === undefined) return say(viewer, { wrong: `seq ${seq} after the end` });
    if (seq !== one.seen + 1) say(viewer, { wrong: `seq ${seq} after ${one.seen}`, executionId });
    one.seen = seq;
    one.hash.update(`${line(type, event)}\n`);
    since += 1;
    if (type === "status" && TERMINAL.includes(event.status)) {
      open.delete(executionId);
      say(viewer, { executionId, seen: one.seen, digest: one.hash.digest("hex"), connects });
      if (open.size === 0) socket.close();
    } else if (wanted.length > 0 && since >= wanted[0]) {
      wanted.shift();
      dropped = true;
      socket.io.engine.close();
    }
  });
}

viewers.forEach(view);
