import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection, type ConnectionOptions, type RunroomError } from "../../src";
import { type FakeSocket, jwt } from "../support/socket";

const { client } = vi.hoisted(() => ({ client: { current: undefined as never } }));
vi.mock("socket.io-client", async () => {
  const { fakeClient } = await import("../support/socket");
  const made = fakeClient();
  client.current = made as never;
  return { io: made.io };
});

const NOW = Date.parse("2026-01-31T12:00:00.000Z");

function open(options: Partial<ConnectionOptions> = {}): {
  connection: Connection;
  socket: FakeSocket;
  states: string[];
} {
  const connection = new Connection({ url: "http://server", pingInterval: 0, ...options });
  const socket = (client.current as { sockets: FakeSocket[] }).sockets.at(-1)!;
  const states: string[] = [];
  connection.subscribe(() => {
    const { state } = connection.getSnapshot();
    if (states.at(-1) !== state) states.push(state);
  });
  return { connection, socket, states };
}

/** Connected, and through. */
async function opened(options: Partial<ConnectionOptions> = {}) {
  const made = open(options);
  made.connection.connect();
  await settle();
  made.socket.accept();
  return made;
}

/** Whatever is waiting for promises only. */
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

describe("states", () => {
  it("goes from disconnected to connected, and back for good", async () => {
    const { connection, socket, states } = await opened();
    expect(connection.getSnapshot()).toMatchObject({ state: "connected", transport: "websocket" });
    connection.disconnect();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual(["connecting", "connected", "disconnected"]);
    expect(socket.tries).toBe(1);
  });

  it("comes back after a loss, and shows when", async () => {
    const { connection, socket, states } = await opened();
    vi.setSystemTime(NOW + 500);
    socket.lose("ping timeout");
    const { retryAt, attempt, error, lostAt } = connection.getSnapshot();
    expect({ attempt, lostAt }).toEqual({ attempt: 1, lostAt: NOW + 500 });
    expect(error).toEqual({ code: "offline", message: "the connection was lost (ping timeout)" });
    expect(retryAt! - NOW - 500).toBeGreaterThanOrEqual(1_000);
    expect(retryAt! - NOW - 500).toBeLessThanOrEqual(1_500);
    await vi.advanceTimersByTimeAsync(retryAt! - Date.now() - 1);
    expect(socket.tries).toBe(1);
    await vi.advanceTimersByTimeAsync(2);
    expect(socket.tries).toBe(2);
    socket.accept();
    expect(states).toEqual(["connecting", "connected", "reconnecting", "connected"]);
    expect(connection.getSnapshot()).toMatchObject({ attempt: 0, error: null, lostAt: null });
  });

  it.each(["io server disconnect", "transport error"])("comes back after %s", async (reason) => {
    const { connection, socket } = await opened();
    socket.lose(reason);
    expect(connection.getSnapshot().state).toBe("reconnecting");
  });

  it("waits longer each time, from delay to delayMax", async () => {
    const { connection, socket } = open();
    connection.connect();
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await settle();
      socket.fail();
      waits.push(connection.getSnapshot().retryAt! - Date.now());
      await vi.advanceTimersByTimeAsync(waits.at(-1)! + 1);
    }
    const bounds = [1_000, 2_000, 4_000, 5_000, 5_000, 5_000];
    for (const [round, least] of bounds.entries()) {
      expect(waits[round]).toBeGreaterThanOrEqual(least);
      expect(waits[round]).toBeLessThanOrEqual(Math.min(5_000, least * 1.5));
    }
  });

  it("gives up after so many tries, until it is asked again", async () => {
    const { connection, socket } = open({ attempts: 2 });
    connection.connect();
    for (let round = 0; round < 3; round += 1) {
      await vi.advanceTimersByTimeAsync(6_000);
      socket.fail();
    }
    expect(connection.getSnapshot()).toMatchObject({ state: "disconnected", retryAt: null });
    expect(connection.getSnapshot().error?.code).toBe("unreachable");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.tries).toBe(3);
    connection.reconnect();
    await settle();
    expect(socket.tries).toBe(4);
    expect(connection.getSnapshot()).toMatchObject({ state: "connecting", error: null });
  });

  it("does not try again when it is refused, until it is asked", async () => {
    const { connection, socket } = open({ token: "bad" });
    connection.connect();
    await settle();
    socket.refuse("token_invalid");
    const { state, error } = connection.getSnapshot();
    expect({ state, code: error?.code }).toEqual({ state: "error", code: "token_invalid" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.tries).toBe(1);
    connection.setToken("good");
    connection.reconnect();
    await settle();
    expect(socket.auth).toEqual({ token: "good" });
    socket.accept();
    expect(connection.getSnapshot().state).toBe("connected");
  });

  it("reconnects at once when asked, waiting or standing", async () => {
    const { connection, socket, states } = await opened();
    socket.lose();
    connection.reconnect();
    await settle();
    expect(socket.tries).toBe(2);
    socket.accept();
    connection.reconnect();
    await settle();
    expect(socket.tries).toBe(3);
    socket.accept();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.tries).toBe(3);
    expect(states.slice(2)).toEqual(["reconnecting", "connected", "reconnecting", "connected"]);
  });

  it("takes a server that never answers for lost", async () => {
    const { connection } = open({ connectTimeout: 5_000 });
    connection.connect();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(connection.getSnapshot()).toMatchObject({
      state: "reconnecting",
      error: { code: "timeout" },
    });
  });

  it("does not connect any more when it was closed while it asked for a token", async () => {
    let give: (token: string) => void = () => {};
    const token = () => new Promise<string>((resolve) => (give = resolve));
    const { connection, socket } = open({ token });
    connection.connect();
    connection.disconnect();
    give("late");
    await settle();
    expect(socket.tries).toBe(0);
  });

  it("says when it last heard something, to the second for who listens", async () => {
    const { connection, socket } = await opened();
    const told = vi.fn();
    connection.subscribe(told);
    for (let ms = 0; ms < 2_500; ms += 100) {
      vi.setSystemTime(NOW + ms);
      socket.receive("log", {});
    }
    expect(connection.lastEventAt).toBe(NOW + 2_400);
    expect(connection.getSnapshot().lastEventAt).toBe(NOW + 2_000);
    expect(told).toHaveBeenCalledTimes(3);
  });
});

describe("tokens", () => {
  it("asks for a token at each try, and tries again if there is none to be had", async () => {
    const token = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error("login is down"));
    token.mockResolvedValue("t2");
    const { connection, socket } = open({ token });
    connection.connect();
    await settle();
    expect(connection.getSnapshot()).toMatchObject({
      state: "reconnecting",
      error: { code: "token_unavailable", message: "login is down" },
    });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(socket.auth).toEqual({ token: "t2" });
  });

  it("sends a fresh token before the old one ends", async () => {
    const tokens = [jwt(NOW + 100_000), jwt(NOW + 300_000)];
    const { connection, socket } = await opened({ token: () => tokens.shift() });
    await vi.advanceTimersByTimeAsync(69_000);
    expect(socket.all("refresh")).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(socket.last("refresh").args).toEqual([{ token: jwt(NOW + 300_000) }]);
    socket.last("refresh").answer({ ok: true, expiresAt: "…" });
    await vi.advanceTimersByTimeAsync(190_000);
    expect(socket.all("refresh")).toHaveLength(1);
    expect(connection.getSnapshot().state).toBe("connected");
  });

  it("connects anew if the fresh token is somebody else's", async () => {
    const tokens = [jwt(NOW + 100_000), jwt(NOW + 300_000, "other"), jwt(NOW + 300_000, "other")];
    const { socket } = await opened({ token: () => tokens.shift() });
    await vi.advanceTimersByTimeAsync(71_000);
    socket.last("refresh").answer({ ok: false, error: { code: "forbidden", message: "other" } });
    await settle();
    expect(socket.tries).toBe(2);
  });

  it("asks for another one when the server says that it has ended", async () => {
    // by our clock it is good for long
    const token = vi.fn(() => jwt(NOW + 3_600_000, `t${token.mock.calls.length}`));
    const { socket } = await opened({ token });
    expect(token).toHaveBeenCalledTimes(1);
    socket.receive("auth", { code: "token_expired" });
    socket.lose();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(token).toHaveBeenCalledTimes(2);
    socket.refuse("token_expired");
    await settle();
    expect(token).toHaveBeenCalledTimes(3);
    // twice in a row is no accident
    socket.refuse("token_expired");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(token).toHaveBeenCalledTimes(3);
  });

  it("does not ask twice for the same token while the last one is good", async () => {
    const token = vi.fn(() => jwt(NOW + 3_600_000));
    const { socket } = await opened({ token });
    socket.lose();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(socket.tries).toBe(2);
    expect(token).toHaveBeenCalledTimes(1);
  });
});

describe("what is sent", () => {
  it("is kept while offline, in order, and bounded", async () => {
    const { connection, socket } = open({ queueLimit: 3 });
    expect(connection.emit("ping", 1)).toBe(true);
    expect(connection.emit("ping", 2)).toBe(true);
    const answer = connection.request("ping", 3);
    expect(connection.emit("ping", 4)).toBe(false);
    await expect(connection.request("ping", 5)).rejects.toMatchObject({ code: "queue_full" });
    expect(connection.getSnapshot().queued).toBe(3);
    connection.connect();
    await settle();
    expect(socket.sent).toEqual([]);
    socket.accept();
    expect(socket.sent.map(({ args }) => args)).toEqual([[1], [2], [3]]);
    expect(connection.getSnapshot().queued).toBe(0);
    socket.last("ping").answer({ ok: true, echo: 3, serverTime: "" });
    expect(await answer).toMatchObject({ echo: 3 });
  });

  it("is answered, refused, lost or too late", async () => {
    const { connection, socket } = await opened({ requestTimeout: 5_000 });
    const asked = () =>
      connection.request("unsubscribe", "ex").catch((error: RunroomError) => error);
    const refused = asked();
    socket.last("unsubscribe").answer({
      ok: false,
      error: { code: "unavailable", message: "busy", retryAfterMs: 70 },
    });
    expect(await refused).toMatchObject({ code: "unavailable", retryAfterMs: 70, transient: true });
    const late = asked();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await late).toMatchObject({ code: "timeout" });
    const lost = asked();
    socket.lose();
    expect(await lost).toMatchObject({ code: "offline", transient: true });
  });

  it("has its handlers taken off again", async () => {
    const { connection, socket } = await opened();
    const [one, two, three] = [vi.fn(), vi.fn(), vi.fn()];
    const undo = connection.on("presence", one);
    connection.on("presence", two);
    connection.on("connect", three);
    undo();
    socket.receive("presence", {});
    connection.off("presence");
    socket.receive("presence", {});
    expect([one.mock.calls.length, two.mock.calls.length]).toEqual([0, 1]);
    // its own handlers stay
    connection.off("connect");
    socket.lose();
    await vi.advanceTimersByTimeAsync(2_000);
    socket.accept();
    expect(connection.getSnapshot().state).toBe("connected");
    expect(three).not.toHaveBeenCalled();
  });

  it("measures the round trip and the server's clock", async () => {
    const { connection, socket } = await opened({ pingInterval: 10_000 });
    await vi.advanceTimersByTimeAsync(40);
    const serverTime = new Date(NOW + 20 + 5_000).toISOString();
    socket.last("ping").answer({ ok: true, echo: NOW, serverTime });
    await settle();
    expect(connection.getSnapshot()).toMatchObject({ roundTrip: 40, clockOffset: 5_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(socket.all("ping")).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(connection.getSnapshot()).toMatchObject({ roundTrip: null, clockOffset: 5_000 });
    connection.disconnect();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket.all("ping")).toHaveLength(2);
  });
});
