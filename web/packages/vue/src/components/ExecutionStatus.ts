import { isPreview } from "@runroom/core";
import { computed, defineComponent, h, type PropType } from "vue";
import { useExecutionStore } from "../stores/execution";
import type { Execution } from "../stores/types";
import type { PublicComponent } from "./public";
import { clockTime, statusBadge } from "./status";

type NodeStatuses = ReadonlyMap<string, string> | Record<string, string>;

export interface ExecutionStatusProps {
  /** Default: the execution store's current one. */
  execution?: Execution | null;
  /** The nodes' statuses by id. Default: the execution store's. */
  nodes?: NodeStatuses;
}

/** State, times, nodes, error and output of an execution. */
export const ExecutionStatus = defineComponent({
  name: "ExecutionStatus",
  props: {
    execution: { type: Object as PropType<Execution | null>, default: undefined },
    nodes: { type: Object as PropType<NodeStatuses>, default: undefined },
  },
  setup(props) {
    const store = useExecutionStore();
    const execution = computed(() =>
      props.execution === undefined ? store.currentExecution : props.execution,
    );
    const nodes = computed(() => {
      const given = props.nodes ?? store.realTimeStatus;
      return given instanceof Map ? [...given] : Object.entries(given);
    });
    return () =>
      h("section", { class: "rr-panel rr-status", "aria-label": "Execution status" }, [
        h("header", { class: "rr-head" }, h("h3", "Status")),
        execution.value === null
          ? h("p", { class: "rr-empty" }, "No execution yet")
          : [overview(execution.value), nodeList(nodes.value), outcome(execution.value)],
      ]);
  },
}) as unknown as PublicComponent<ExecutionStatusProps>;

function overview(execution: Execution) {
  const { id, workflowId, workflowName, status, progress, createdAt, startedAt, endedAt } =
    execution;
  const facts: [string, unknown][] = [
    ["Execution", id],
    ["Workflow", workflowName ?? workflowId],
    ["Created", createdAt && clockTime(createdAt)],
    ["Started", startedAt && clockTime(startedAt)],
    ["Ended", endedAt && clockTime(endedAt)],
  ];
  return h("div", { class: "rr-overview" }, [
    h("div", { "data-testid": "execution-status", "data-status": status }, [statusBadge(status)]),
    progress === undefined
      ? null
      : h("progress", { max: 100, value: progress, "aria-label": "Progress" }, `${progress} %`),
    h(
      "dl",
      { class: "rr-facts" },
      facts.flatMap(([name, value]) => (value ? [h("dt", name), h("dd", String(value))] : [])),
    ),
  ]);
}

function nodeList(nodes: readonly (readonly [string, string])[]) {
  if (nodes.length === 0) return null;
  return h(
    "ul",
    { class: "rr-nodes", "aria-label": "Nodes" },
    nodes.map(([nodeId, status]) =>
      h("li", { key: nodeId, "data-testid": `node-${nodeId}`, "data-status": status }, [
        h("span", { class: "rr-node-id" }, nodeId),
        statusBadge(status),
      ]),
    ),
  );
}

function outcome({ error, result }: Execution) {
  return [
    error ? h("p", { class: "rr-error", role: "alert" }, error) : null,
    result === undefined || result === null
      ? null
      : h("div", { class: "rr-output" }, [
          h("h4", "Output"),
          h("pre", { tabindex: 0 }, text(result)),
        ]),
  ];
}

function text(result: unknown): string {
  if (isPreview(result)) {
    return `${result.$preview}…\n(the beginning of ${result.$size.toLocaleString()} bytes)`;
  }
  return typeof result === "string" ? result : JSON.stringify(result, null, 2);
}
