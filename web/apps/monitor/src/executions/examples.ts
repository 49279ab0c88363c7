import type { Runroom, StoredWorkflow, Workflow } from "@runroom/core";

const FILES = import.meta.glob<Workflow>("../../../../../examples/*.json", {
  eager: true,
  import: "default",
});
/** The first needs no files of the repository, and is the one with most to watch. */
const ORDER = [
  "simulated-pipeline",
  "docs-digest",
  "code-census",
  "conditional-quality-gate",
] as const;

export interface Example {
  readonly id: string;
  readonly workflow: Workflow;
}

/** The workflows of the repository's `examples/`. */
export const EXAMPLES: readonly Example[] = Object.entries(FILES)
  .map(([path, workflow]) => ({ id: path.slice(path.lastIndexOf("/") + 1, -5), workflow }))
  .sort((a, b) => place(a.id) - place(b.id));

/** The example as a workflow of the server: the one that is there already, or a new one. */
export async function storedExample(runroom: Runroom, example: Example): Promise<StoredWorkflow> {
  const stored = await runroom.api.workflows.list();
  const same = stored.find((each) => isSame(each, example.workflow));
  return same ?? (await runroom.api.workflows.create(example.workflow));
}

function isSame(stored: StoredWorkflow, { name, nodes, edges = [] }: Workflow): boolean {
  const shape = (graph: Pick<Workflow, "nodes" | "edges">): string =>
    JSON.stringify([
      graph.nodes.map(({ id, kind, config }) => [id, kind, config ?? null]),
      (graph.edges ?? []).map(({ source, target, when }) => [source, target, when ?? null]),
    ]);
  // the server fills in what was left out, so only what an example says is compared
  return stored.name === name && shape(stored as Workflow) === shape({ nodes, edges });
}

function place(id: string): number {
  const at = ORDER.indexOf(id as (typeof ORDER)[number]);
  return at < 0 ? ORDER.length : at;
}
