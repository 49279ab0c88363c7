import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startKeyboard } from "../../src/keyboard/registry";
import LogsView from "../../src/logs/LogsView.vue";
import { completed, Feed, line, running, type Shown, show } from "../support/page";

const HEIGHT = 400;
let stopKeyboard = (): void => {};
let shown: Shown | undefined;

beforeEach(() => {
  // a browser lays out, happy-dom does not
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(HEIGHT);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1_000);
  localStorage.clear();
  stopKeyboard = startKeyboard();
});

afterEach(() => {
  shown?.wrapper.unmount();
  shown = undefined;
  stopKeyboard();
});

async function open(feed: Feed, query = ""): Promise<Shown> {
  shown = await show(LogsView, feed, query);
  return shown;
}

function lines(count: number, more: object = {}, from = 1): ReturnType<typeof line>[] {
  return Array.from({ length: count }, (_, n) => line(`line ${from + n}`, more));
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-testid=log-row]")];
}

function messages(): string[] {
  return rows().map((row) => row.querySelector(".message")!.textContent!);
}

function text(testid: string): string {
  return document.querySelector(`[data-testid=${testid}]`)?.textContent?.trim() ?? "";
}

const scroller = (): HTMLElement => document.querySelector<HTMLElement>("[role=table]")!;

async function scrollTo(top: number): Promise<void> {
  scroller().scrollTop = top;
  scroller().dispatchEvent(new Event("scroll"));
  await shown!.settle();
}

async function press(key: string): Promise<void> {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  await shown!.settle();
}

describe("the window", () => {
  test("draws what is in sight of a long log, at its end, and follows it", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(5_000));
    const { settle } = await open(feed);
    expect(rows().length).toBeLessThan(50);
    expect(messages().at(-1)).toBe("line 5000");
    expect(scroller().scrollTop).toBe(5_000 * 20 - HEIGHT);
    feed.say(...lines(100, {}, 5_001));
    await settle();
    expect(messages().at(-1)).toBe("line 5100");
    expect(text("log-count")).toBe("5,100 lines");
  });

  test("a row tells its seq, time, level in a word, node and message", async () => {
    const feed = new Feed();
    feed.say(running, line("careful", { level: "warning", nodeId: "write" }));
    await open(feed, "?tab=logs");
    const cells = [...rows()[0]!.querySelectorAll("[role=cell]")].map((c) => c.textContent!.trim());
    expect(cells[0]).toBe("2");
    expect(cells[1]).toMatch(/^\d\d:\d\d:02\.000$/);
    expect(cells.slice(2)).toEqual(["Warning", "WRITE", "careful"]);
    await press("t");
    expect(rows()[0]!.querySelector(".time")!.textContent).toBe("+1.000");
  });

  test("who scrolls up stays where he is, and is told what is new", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(1_000));
    const { settle } = await open(feed);
    await scrollTo(5_000);
    const before = messages();
    expect(before).toContain("line 251");
    expect(text("log-follow")).toBe("To the end");
    feed.say(...lines(120, {}, 1_001));
    await settle();
    expect(messages()).toEqual(before);
    expect(text("log-follow")).toBe("120 new lines");
    document.querySelector<HTMLElement>("[data-testid=log-follow]")!.click();
    await settle();
    expect(messages().at(-1)).toBe("line 1120");
    expect(document.querySelector("[data-testid=log-follow]")).toBeNull();
  });

  test("who reads stays where he is while the oldest lines give way", async () => {
    const feed = new Feed({ capacity: 1_000 });
    feed.say(running, ...lines(1_000));
    const { settle } = await open(feed);
    await scrollTo(10_000);
    const before = messages();
    feed.say(...lines(300, {}, 1_001));
    await settle();
    expect(messages()).toEqual(before);
    expect(scroller().scrollTop).toBe(4_000);
    expect(text("log-dropped")).toContain("300 earlier ones are on the server");
  });

  test("a replay shows lines up to its moment", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(100));
    const { view, settle } = await open(feed, "?seq=11");
    expect(messages().at(-1)).toBe("line 10");
    expect(text("log-count")).toBe("10 lines up to event 11");
    view.set({ seq: null });
    await settle();
    expect(messages().at(-1)).toBe("line 100");
  });
});

describe("filter and search", () => {
  async function mixed(query = ""): Promise<{ feed: Feed } & Shown> {
    const feed = new Feed();
    feed.say(running);
    for (let n = 1; n <= 60; n += 1) {
      const level = n % 10 === 0 ? "error" : n % 3 === 0 ? "warning" : "info";
      feed.say(
        line(`step ${n}${n % 20 === 0 ? " Timeout" : ""}`, {
          level,
          nodeId: n % 2 ? "read" : "write",
        }),
      );
    }
    return { feed, ...(await open(feed, query)) };
  }

  test("by level, of stored lines and of those that come", async () => {
    const { feed, settle } = await mixed("?level=error");
    expect(messages()).toEqual([
      "step 10",
      "step 20 Timeout",
      "step 30",
      "step 40 Timeout",
      "step 50",
      "step 60 Timeout",
    ]);
    expect(text("log-count")).toBe("6 of 60");
    feed.say(line("fine"), line("broken", { level: "error" }));
    await settle();
    expect(messages().at(-1)).toBe("broken");
    expect(messages()).toHaveLength(7);
  });

  test("by node, from the address, and the address follows the buttons", async () => {
    const { router, settle } = await mixed("?in=write");
    expect(text("log-count")).toBe("30 of 60");
    expect(new Set(rows().map((row) => row.querySelector(".node")!.textContent))).toEqual(
      new Set(["WRITE"]),
    );
    document.querySelector<HTMLElement>("[data-testid=log-filter] .warning")!.click();
    await settle();
    expect(rows()).toHaveLength(8);
    await vi.waitFor(() =>
      expect(router.currentRoute.value.query).toEqual({ in: "write", level: "warning" }),
    );
  });

  test("by text, with the hits marked, and from hit to hit", async () => {
    const { view, settle } = await mixed();
    const input = document.querySelector<HTMLInputElement>("[data-testid=log-search]")!;
    input.value = "timeout";
    input.dispatchEvent(new Event("input"));
    await settle();
    expect(rows()).toHaveLength(3);
    expect([...document.querySelectorAll(".mark")].map((mark) => mark.textContent)).toEqual([
      "Timeout",
      "Timeout",
      "Timeout",
    ]);
    expect(text("log-hits")).toBe("3");
    await press("n");
    expect(text("log-hits")).toBe("1 of 3");
    await press("N");
    expect(text("log-hits")).toBe("3 of 3");
    // all lines around them
    await press("f");
    expect(rows().length).toBeGreaterThan(20);
    await press("n");
    expect(view.state.line).toBe(21);
    expect(document.querySelector("[aria-current=true] .message")!.textContent).toBe(
      "step 20 Timeout",
    );
  });

  test("nothing found says where was searched", async () => {
    await mixed("?q=nowhere");
    expect(document.body.textContent).toContain("No line matches");
    expect(document.body.textContent).toContain("Searched in 60 lines");
  });
});

describe("lines that are gone from the page", () => {
  test("are searched on the server, with the same filter", async () => {
    const feed = new Feed({ capacity: 100 });
    feed.say(running, ...lines(500));
    const { runroom, settle } = await open(feed, "?q=line%2012");
    const event = (seq: number) => ({ ...feed.events[seq]! }) as never;
    const logs = vi
      .spyOn(runroom.api.executions, "logs")
      .mockResolvedValueOnce({ events: [event(12)], head: 501, nextAfter: 13 })
      .mockResolvedValueOnce({ events: [event(120), event(121)], head: 501, nextAfter: null });
    document.querySelector<HTMLElement>("[data-testid=log-stored]")!.click();
    await settle();
    expect(logs).toHaveBeenLastCalledWith("ex-1", { after: 0, limit: 500, text: "line 12" });
    expect(messages()).toEqual(["line 12"]);
    [...document.querySelectorAll("button")]
      .find((b) => b.textContent!.includes("Read more"))!
      .click();
    await settle();
    expect(messages()).toEqual(["line 12", "line 120", "line 121"]);
    expect(text("log-count")).toBe("3 lines of the server");
  });

  test("are read from the server when a link leads there", async () => {
    const feed = new Feed({ capacity: 100 });
    feed.say(running);
    const { runroom, view, settle } = await open(feed);
    const logs = vi.spyOn(runroom.api.executions, "logs").mockResolvedValue({
      events: feed.events.filter((event) => event.type === "log"),
      head: 501,
      nextAfter: null,
    });
    feed.say(...lines(500));
    await settle();
    view.set({ line: 251 });
    await settle();
    expect(logs).toHaveBeenCalledWith("ex-1", { after: 51, limit: 500 });
  });
});

describe("a line that is pointed at", () => {
  test("is gone to as soon as it is there, and marked", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(300));
    const { settle } = await open(feed, "?line=700");
    expect(document.querySelector("[aria-current=true]")).toBeNull();
    feed.say(...lines(700, {}, 301));
    await settle();
    const marked = document.querySelector<HTMLElement>("[aria-current=true]")!;
    expect(marked.dataset.seq).toBe("700");
    // in the middle: row 698 at 13,960 px
    expect(scroller().scrollTop).toBe(13_960 - (HEIGHT - 20) / 2);
    expect(text("log-detail")).toContain("line 699");
  });

  test("by its number; again takes the mark away; shift takes all up to there", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(20));
    const { view, settle } = await open(feed);
    const link = (n: number) => rows()[n]!.querySelector<HTMLElement>("a")!;
    expect(link(4).getAttribute("href")).toMatch(/\/executions\/ex-1\?line=6$/);
    link(4).click();
    await settle();
    expect(view.state.line).toBe(6);
    rows()[8]!.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: true }));
    await settle();
    expect(document.querySelectorAll("[aria-current=true]")).toHaveLength(5);
    expect(text("log-detail")).toContain("5 lines marked");
    await press("Escape");
    expect(view.state.line).toBeNull();
    expect(document.querySelectorAll("[aria-current=true]")).toHaveLength(0);
  });

  test("moves with j and k, and g and G go to the ends", async () => {
    const feed = new Feed();
    feed.say(running, ...lines(1_000), completed);
    const { view } = await open(feed);
    await press("g");
    expect(messages()[0]).toBe("line 1");
    await press("j");
    await press("j");
    await press("j");
    expect(view.state.line).toBe(4);
    await press("k");
    expect(view.state.line).toBe(3);
    await press("G");
    expect(messages().at(-1)).toBe("line 1000");
  });

  test("that the filter hides is shown below, and the filter can be taken away", async () => {
    const feed = new Feed();
    feed.say(running, line("one"), line("two", { level: "error" }));
    const { settle } = await open(feed, "?line=2&level=error");
    expect(messages()).toEqual(["two"]);
    expect(text("log-detail")).toContain("The filter hides this line");
    document.querySelector<HTMLElement>(".detail .hidden")!.click();
    await settle();
    expect(messages()).toEqual(["one", "two"]);
  });
});

test("hostile text is text, in rows and in the detail", async () => {
  const feed = new Feed();
  const evil = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202e\u2028';
  feed.say(running, line(evil, { nodeId: "<b>node</b>" }));
  await open(feed, "?line=2&wrap=1&q=img");
  const shownAs = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>U+202E';
  expect(messages()).toEqual([shownAs]);
  expect(document.querySelectorAll("img, script, b")).toHaveLength(0);
  expect(rows()[0]!.querySelector(".node")!.textContent).toBe("<b>node</b>");
});

test("an empty log says so", async () => {
  const feed = new Feed();
  feed.say(running);
  const { settle } = await open(feed);
  expect(document.body.textContent).toContain("No line yet");
  feed.say(completed);
  await settle();
  expect(document.body.textContent).toContain("Nothing was logged");
});
