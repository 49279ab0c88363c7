import { afterEach, describe, expect, it, vi } from "vitest";
import { Api, type RunroomError, serverUrl } from "../../src";
import { jwt } from "../support/socket";

function api(...answers: (Response | Error)[]) {
  const fetched = vi.fn(async (_url: string, _init: RequestInit) => {
    const answer = answers.shift() ?? Response.json({});
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const token = vi.fn(() => jwt(Date.now() + 3_600_000, `t${token.mock.calls.length}`));
  const made = new Api({ url: "http://server/", token, fetch: fetched as unknown as typeof fetch });
  const asked = () => fetched.mock.calls.map(([url, init]) => `${init.method} ${url}`);
  const sent = (n = 0) => {
    const { headers, body } = fetched.mock.calls[n]![1];
    return { headers: headers as Record<string, string>, body: body && JSON.parse(`${body}`) };
  };
  return { api: made, asked, sent, token, fetched };
}

const refused = (status: number, error: object) => Response.json({ error }, { status });
const caught = (promise: Promise<unknown>) => promise.catch((error: RunroomError) => error);

describe("requests", () => {
  it("go to the server's routes", async () => {
    const { api: on, asked } = api();
    await on.executions.list({ status: "running", limit: 5 });
    await on.executions.get("a:b");
    await on.executions.events("e", { after: 3, types: ["status", "progress"] });
    await on.executions.logs("e", {
      levels: ["error", "info"],
      nodeId: "n",
      text: "a&b",
      limit: 9,
    });
    await on.executions.output("e", "n:1");
    await on.executions.result("e");
    await on.executions.input("e");
    await on.executions.cancel("e");
    await on.executions.retry("e", { fromNode: "n" });
    await on.executions.execute({ workflowId: "w", input: 1, priority: 3, idempotencyKey: "k" });
    await on.workflows.get("w");
    await on.workflows.create({ name: "W", nodes: [] });
    await on.workflows.update("w", { name: "W", nodes: [] });
    await on.workflows.remove("w");
    await on.stats();
    await on.uiConfig();
    await on.value({ $preview: "[", $size: 9, $ref: "/api/executions/e/input" });
    expect(asked()).toEqual([
      "GET http://server/api/executions?status=running&limit=5",
      "GET http://server/api/executions/a%3Ab",
      "GET http://server/api/executions/e/events?after=3&type=status%2Cprogress",
      "GET http://server/api/executions/e/logs?nodeId=n&limit=9&level=error%2Cinfo&q=a%26b",
      "GET http://server/api/executions/e/nodes/n%3A1/output",
      "GET http://server/api/executions/e/result",
      "GET http://server/api/executions/e/input",
      "POST http://server/api/executions/e/cancel",
      "POST http://server/api/executions/e/retry",
      "POST http://server/api/workflows/w/execute",
      "GET http://server/api/workflows/w",
      "POST http://server/api/workflows",
      "PUT http://server/api/workflows/w",
      "DELETE http://server/api/workflows/w",
      "GET http://server/api/stats",
      "GET http://server/api/ui-config",
      "GET http://server/api/executions/e/input",
    ]);
  });

  it("carry the token, a body and a key", async () => {
    const { api: on, sent, token } = api();
    await on.executions.execute({ workflowId: "w", input: { a: 1 }, idempotencyKey: "k" });
    await on.executions.cancel("e");
    await on.devToken({ role: "operator" });
    expect(sent(0).headers).toMatchObject({
      Authorization: `Bearer ${token.mock.results[0]!.value}`,
      "Content-Type": "application/json",
      "Idempotency-Key": "k",
    });
    expect(sent(0).body).toEqual({ input: { a: 1 } });
    expect(sent(2).headers).not.toHaveProperty("Authorization");
    expect(token).toHaveBeenCalledTimes(1);
  });

  it("download text", async () => {
    const { api: on, sent } = api(new Response("line 1\nline 2\n"));
    expect(await (await on.executions.download("e")).text()).toBe("line 1\nline 2\n");
    expect(sent().headers.Accept).toBe("text/plain");
  });
});

describe("refusals", () => {
  it("are errors with the server's words", async () => {
    const { api: on } = api(
      refused(400, { code: "invalid", message: "no trigger", details: ["no trigger", "cycle"] }),
    );
    expect(await caught(on.workflows.create({ name: "W", nodes: [] }))).toMatchObject({
      name: "RunroomError",
      code: "invalid",
      message: "no trigger",
      status: 400,
      details: ["no trigger", "cycle"],
      transient: false,
    });
  });

  it("tell what may succeed later", async () => {
    const { api: on } = api(
      refused(503, { code: "unavailable", message: "busy", retryAfterMs: 500 }),
      new Response("<html>", { status: 502 }),
      new TypeError("fetch failed"),
      new Response("{", { status: 200 }),
      new Response("<html>", { status: 404 }),
    );
    const error = () => caught(on.stats());
    expect(await error()).toMatchObject({
      code: "unavailable",
      retryAfterMs: 500,
      transient: true,
    });
    expect(await error()).toMatchObject({ code: "unreachable", status: 502, transient: true });
    expect(await error()).toMatchObject({ code: "unreachable", transient: true });
    expect(await error()).toMatchObject({ code: "unreachable", transient: true });
    expect(await error()).toMatchObject({ code: "invalid", status: 404, transient: false });
  });

  it("of an ended token are tried once more with another one", async () => {
    const ended = () => refused(401, { code: "token_expired", message: "ended" });
    const {
      api: on,
      sent,
      token,
    } = api(ended(), Response.json({ executors: 1 }), ended(), ended());
    expect(await on.stats()).toEqual({ executors: 1 });
    expect(sent(1).headers.Authorization).toBe(`Bearer ${token.mock.results[1]!.value}`);
    expect(await caught(on.stats())).toMatchObject({ code: "token_expired" });
    expect(token).toHaveBeenCalledTimes(3);
  });
});

describe("the address", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it("is as given, else of the environment, else of a server on this machine", () => {
    vi.stubEnv("VITE_WS_URL", "");
    vi.stubEnv("VITE_BACKEND_URL", "");
    expect(serverUrl()).toBe("http://localhost:3001");
    vi.stubEnv("VITE_BACKEND_URL", "http://backend:1");
    expect(serverUrl()).toBe("http://backend:1");
    vi.stubEnv("VITE_WS_URL", "http://ws:2/");
    expect(serverUrl()).toBe("http://ws:2");
    expect(serverUrl("https://given//")).toBe("https://given");
  });
});
