import type { ExecutionRecord, GraphNode } from "../contract/contract.gen";
import type { Event, EventType, Payload } from "../contract/types";
import { between, pick, type Random } from "./random";
import { FAILURES, LINES, TIMES } from "./sample";

/** An event that is not numbered yet, and when it happens, in ms from the start. */
export interface Step {
  readonly at: number;
  readonly nodeId: string | null;
  readonly event: Unnumbered;
}
type Own<T extends EventType> = { type: T } & Omit<
  Payload<T>,
  "executionId" | "seq" | "attempt" | "timestamp"
>;
type Unnumbered = { [T in EventType]: Own<T> }[EventType];

export type { Unnumbered };

interface Run {
  readonly node: GraphNode;
  readonly steps: Step[];
  readonly startsAt: number;
  readonly endsAt: number;
  readonly outcome: "completed" | "failed" | "skipped";
}

const PROGRESS_MS = 250;

/**
 * All that will happen in an execution of this graph, in order, as an executor would report it.
 * A condition on an edge holds half the time: nobody here reads it.
 */
export function script(record: ExecutionRecord, random: Random, failureRate: number): Step[] {
  const runs = schedule(record, random, failureRate);
  const failed = runs
    .filter((run) => run.outcome === "failed")
    .sort((a, b) => a.endsAt - b.endsAt)[0];
  const endsAt = failed?.endsAt ?? Math.max(0, ...runs.map((run) => run.endsAt));
  const happened = runs
    .flatMap((run) => run.steps)
    .filter((step) => step.at < endsAt || step.nodeId === failed?.node.id || failed === undefined)
    .sort((a, b) => a.at - b.at);
  const begin: Step = { at: 0, nodeId: null, event: { type: "status", status: "running" } };
  const steps = withProgress([begin, ...happened], runs.length);
  return [...steps, ...ending(record, steps, endsAt, failed)];
}

/** When each node starts and ends if nothing else stops it; sources before their targets. */
function schedule(record: ExecutionRecord, random: Random, failureRate: number): Run[] {
  const { nodes, edges } = record.graph;
  const done = new Map<string, Run>();
  let waiting = [...nodes];
  while (waiting.length > 0) {
    const ready = waiting.filter(({ id }) =>
      edges.every(({ source, target }) => target !== id || done.has(source)),
    );
    // a cycle, which a server would have refused: run what is left at once
    const next = ready.length > 0 ? ready : waiting;
    for (const node of next) {
      const incoming = edges.filter(({ target }) => target === node.id);
      const sources = incoming.flatMap(({ source }) => done.get(source) ?? []);
      const holds = incoming.filter(
        ({ source, when }) =>
          done.get(source)?.outcome === "completed" && (when === null || random() < 0.5),
      );
      const startsAt = Math.max(5, ...sources.map((run) => run.endsAt)) + between(random, 1, 20);
      const skipped = incoming.length > 0 && holds.length === 0;
      done.set(
        node.id,
        skipped ? skip(node, startsAt) : work(record, node, startsAt, random, failureRate),
      );
    }
    waiting = waiting.filter((node) => !done.has(node.id));
  }
  return [...done.values()];
}

function skip(node: GraphNode, at: number): Run {
  const event: Unnumbered = { type: "nodeStatus", nodeId: node.id, status: "skipped" };
  const steps = [{ at, nodeId: node.id, event }];
  return { node, steps, startsAt: at, endsAt: at, outcome: "skipped" };
}

function work(
  record: ExecutionRecord,
  node: GraphNode,
  startsAt: number,
  random: Random,
  failureRate: number,
): Run {
  const nodeId = node.id;
  const steps: Step[] = [];
  const say = (at: number, event: Unnumbered) => steps.push({ at, nodeId, event });
  const tries = node.retry?.attempts ?? 1;
  const mayFail = node.kind === "agent" || node.kind === "tool";
  let at = startsAt;
  let problem: string | undefined;
  for (let number = 1; number <= tries; number += 1) {
    const again = problem === undefined ? {} : { message: `${problem}, trying again` };
    say(at, { type: "nodeStatus", nodeId, status: "running", try: number, ...again });
    const length = between(random, ...TIMES[node.kind]);
    for (let after = PROGRESS_MS; after < length; after += PROGRESS_MS) {
      const level = random() < 0.08 ? "warning" : "info";
      const log = { id: "", nodeId, level, message: pick(random, LINES[node.kind]) } as const;
      if (random() < 0.7) say(at + after - 60, { type: "log", log: { ...log, createdAt: "" } });
      const nodeProgress = Math.round((1000 * after) / length) / 10;
      say(at + after, { type: "progress", progress: 0, nodeId, nodeProgress });
    }
    at += length;
    problem = mayFail && random() < failureRate ? pick(random, FAILURES) : undefined;
    const outcome = { type: "nodeStatus", nodeId, durationMs: at - startsAt, try: number } as const;
    if (problem === undefined) {
      const output = { node: nodeId, items: Math.floor(between(random, 1, 40)), tries: number };
      const whole = node.kind === "trigger" ? record.input : output;
      say(at, { ...outcome, status: "completed", output: whole });
      return { node, steps, startsAt, endsAt: at, outcome: "completed" };
    }
    const log = { id: "", nodeId, level: "error", message: problem, createdAt: "" } as const;
    say(at, { type: "log", log });
    if (number === tries) say(at, { ...outcome, status: "failed", error: problem });
    else at += (node.retry?.backoffMs ?? 500) * random() * 2 ** (number - 1);
  }
  return { node, steps, startsAt, endsAt: at, outcome: "failed" };
}

/** Fills in how much is done, and says it after each node's end. */
function withProgress(steps: readonly Step[], nodes: number): Step[] {
  let ended = 0;
  return steps.flatMap((step): Step[] => {
    const { event } = step;
    const progress = Math.floor((100 * ended) / nodes);
    if (event.type === "progress") return [{ ...step, event: { ...event, progress } }];
    if (event.type !== "nodeStatus" || event.status === "running") return [step];
    ended += 1;
    const now = Math.floor((100 * ended) / nodes);
    return [step, { at: step.at, nodeId: null, event: { type: "progress", progress: now } }];
  });
}

function ending(record: ExecutionRecord, steps: Step[], at: number, failed?: Run): Step[] {
  const say = (event: Unnumbered): Step => ({ at, nodeId: null, event });
  if (failed === undefined) {
    const outputs = record.graph.nodes.filter((node) => node.kind === "output");
    const result = Object.fromEntries(outputs.map((node) => [node.id, { items: steps.length }]));
    return [say({ type: "result", result }), say({ type: "status", status: "completed" })];
  }
  const last = steps.findLast(
    ({ event, nodeId }) => nodeId === failed.node.id && event.type === "nodeStatus",
  )!.event as Own<"nodeStatus">;
  const error = last.error ?? "failed";
  return [
    ...closing(record, steps, "skipped").map(say),
    say({ type: "error", error, nodeId: failed.node.id }),
    say({ type: "status", status: "failed" }),
  ];
}

/** Ends all nodes that have not ended: running ones are cancelled, for pending ones it is said. */
export function closing(
  record: ExecutionRecord,
  steps: readonly { event: Unnumbered }[],
  pending: "skipped" | "cancelled",
): Unnumbered[] {
  const statuses = new Map(record.graph.nodes.map(({ id }) => [id, "pending"]));
  for (const { event } of steps) {
    if (event.type === "nodeStatus") statuses.set(event.nodeId, event.status);
  }
  const events: Unnumbered[] = [];
  for (const [nodeId, status] of statuses) {
    if (status === "running") events.push({ type: "nodeStatus", nodeId, status: "cancelled" });
    if (status === "pending") events.push({ type: "nodeStatus", nodeId, status: pending });
  }
  return events;
}

/** The event as a store would have it. */
export function numbered(
  { executionId }: ExecutionRecord,
  event: Unnumbered,
  seq: number,
  timestamp: string,
): Event {
  const base = { executionId, seq, attempt: 1, timestamp };
  if (event.type !== "log") return { ...event, ...base };
  const log = { ...event.log, id: `${executionId}:${seq}`, createdAt: timestamp };
  return { ...event, ...base, log };
}
