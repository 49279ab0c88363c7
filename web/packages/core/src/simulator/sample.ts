import type { Workflow } from "../contract/contract.gen";
import type { Kind } from "../contract/types";

/** What the simulator runs if it is not told what. */
export const SAMPLE_WORKFLOW: Workflow = {
  name: "Simulated research",
  nodes: [
    { id: "start", kind: "trigger", name: "Request" },
    { id: "plan", kind: "agent", name: "Plan the research" },
    { id: "web", kind: "tool", name: "Search the web", retry: { attempts: 3, backoffMs: 400 } },
    { id: "papers", kind: "tool", name: "Search papers", retry: { attempts: 2, backoffMs: 400 } },
    { id: "notes", kind: "tool", name: "Read the notes" },
    { id: "write", kind: "agent", name: "Write the report" },
    { id: "review", kind: "agent", name: "Review it" },
    { id: "report", kind: "output", name: "Report" },
  ],
  edges: [
    { source: "start", target: "plan" },
    { source: "plan", target: "web" },
    { source: "plan", target: "papers" },
    { source: "plan", target: "notes" },
    { source: "web", target: "write" },
    { source: "papers", target: "write" },
    { source: "notes", target: "write" },
    { source: "write", target: "review" },
    { source: "review", target: "report" },
  ],
};

/** How long a node of each kind takes, from … to, ms. */
export const TIMES: Record<Kind, readonly [number, number]> = {
  trigger: [20, 80],
  agent: [1_500, 5_000],
  tool: [600, 3_000],
  output: [20, 120],
};

export const LINES: Record<Kind, readonly string[]> = {
  trigger: ["request received"],
  agent: [
    "thinking about the next step",
    "asked the model for 512 tokens",
    "the model answered in time",
    "three sources disagree, looking again",
    "drafting",
  ],
  tool: [
    "connecting",
    "fetched page 1 of 4",
    "12 of 40 items match",
    "cache hit",
    "wrote 3 rows",
    "slow answer: 812 ms",
  ],
  output: ["collecting what the others found"],
};

export const FAILURES = ["connection reset by peer", "timed out", "503 from upstream", "bad JSON"];
