// Many stock clients in one process, each with options of its own:
//
//     node viewers.mjs '{"url", "token", "viewers": [{"executions": [id, …], …}, …]}'
//
// A viewer's members: `executions`; `after` (0); `bare` (subscribe with the id alone); `form`
// (`{batch: true}` or `{binary: true}`); `options` (of the client); `drops` {seed, least, most}: close the transport again and again,
// after a random number of milliseconds; `rejoins`: in the same way, unsubscribe from all and
// subscribe again. Prints {viewer, event} for each event of the log and {viewer, note, …} for
// what happens to the connection.
import { decode } from "@msgpack/msgpack";
import { io } from "socket.io-client";

const { url, token, viewers } = JSON.parse(process.argv[2]);
const TERMINAL = ["completed", "failed", "cancelled"];

function say(viewer, what) {
  process.stdout.write(`${JSON.stringify({ viewer, ...what })}\n`);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Do something again and again, until the function that is returned is called. */
function repeat({ seed, least, most }, action) {
  const next = random(seed);
  let timer;
  const wait = () => {
    timer = setTimeout(
      async () => {
        await action();
        if (timer !== undefined) wait();
      },
      least + next() * (most - least),
    );
  };
  wait();
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}

function view({ executions, after = 0, bare = false, form, drops, rejoins, options }, viewer) {
  const last = new Map(executions.map((id) => [id, after]));
  const socket = io(`${url}/executions`, { auth: { token }, forceNew: true, ...options });
  const transport = () => socket.io.engine.transport.name;
  const repeated = [];
  let events = 0;

  const subscribe = () => {
    for (const executionId of last.keys()) {
      const request = bare ? executionId : { executionId, after: last.get(executionId), ...form };
      socket.emit("subscribe", request, (answer) => {
        if (!answer.ok) throw new Error(answer.error.message);
        say(viewer, { note: "subscribed", executionId, head: answer.head });
      });
    }
  };

  socket.io.on("open", () => {
    say(viewer, { note: "opened", transport: transport() });
    socket.io.engine.once("upgrade", () => say(viewer, { note: "upgraded", events }));
  });
  socket.on("connect", subscribe);
  socket.on("connect_error", (error) => {
    if (!socket.active) throw error;
  });
  socket.on("batch", (batch) => {
    const binary = ArrayBuffer.isView(batch);
    if (binary !== (form?.binary === true)) throw new Error("not the form that was asked for");
    for (const [type, event] of (binary ? decode(batch) : batch).events) take(type, event);
  });
  const take = (type, event) => {
    if (event.seq === undefined) return;
    events += 1;
    last.set(event.executionId, event.seq);
    say(viewer, { event: { type, ...event } });
    if (type === "status" && TERMINAL.includes(event.status)) {
      last.delete(event.executionId);
      if (last.size === 0) {
        say(viewer, { note: "done", transport: transport() });
        for (const stop of repeated) stop();
        socket.close();
      }
    }
  };
  socket.onAny(take);

  if (drops !== undefined) {
    const drop = () => {
      if (!socket.connected) return;
      say(viewer, { note: "dropped", transport: transport() });
      socket.io.engine.close();
    };
    repeated.push(repeat(drops, drop));
  }
  if (rejoins !== undefined) {
    const rejoin = async () => {
      if (!socket.connected) return;
      const left = [...last.keys()].map((id) => socket.emitWithAck("unsubscribe", id));
      try {
        await Promise.all(left);
      } catch {
        return; // the connection ended first
      }
      // nothing comes after these answers, so `last` is what was seen
      subscribe();
    };
    repeated.push(repeat(rejoins, rejoin));
  }
}

viewers.forEach(view);
