import type { ComponentType, ReactNode } from "react";
import { LABELS, VISUALS, visualStatusOf } from "../status";
import { KindIcon, type NodeKind, StatusIcon } from "./icons";

/** What a node shows; `useWorkflowExecution` writes all but the first two. */
export interface WorkflowNodeData extends Record<string, unknown> {
  label?: string;
  kind?: NodeKind;
  status?: string;
  message?: string | null;
  progress?: number;
  error?: string | null;
  output?: unknown;
  durationMs?: number | null;
}

/** Of React Flow's `NodeProps`; standalone, only `data` is needed. */
export interface BaseNodeProps {
  id?: string;
  data: WorkflowNodeData;
  selected?: boolean;
  /** Drawn inside: React Flow's handles. */
  children?: ReactNode;
}

/** A node with its icon, its status as colour, icon and word, and what it says at the moment. */
export function BaseNode({ id, data, selected = false, children }: BaseNodeProps) {
  const { label, kind, message, error, progress = 0 } = data;
  const status = visualStatusOf(data.status);
  const { color, animation } = VISUALS[status];
  const word = LABELS[data.status ?? "idle"] ?? data.status;
  const says = error ?? message;
  const running = status === "running";
  return (
    <div
      className={["rr-node", `rr-kind-${kind ?? "none"}`, animation, selected && "rr-selected"]
        .filter(Boolean)
        .join(" ")}
      style={{ borderColor: color }}
      data-testid={id === undefined ? undefined : `node-${id}`}
      data-status={data.status ?? "idle"}
    >
      <div className="rr-node-head">
        <span className="rr-node-kind" title={kind}>
          <KindIcon kind={kind} />
        </span>
        <span className="rr-node-label">{label ?? id}</span>
        <span className="rr-node-badge">
          <span className="rr-node-mark" style={{ background: color }}>
            <StatusIcon status={status} />
          </span>
          {word}
        </span>
      </div>
      {says ? (
        <div className="rr-node-message" title={says}>
          {says}
        </div>
      ) : null}
      {running && progress > 0 ? (
        <progress max={100} value={progress} aria-label={`Progress of ${label ?? id}`} />
      ) : null}
      {children}
    </div>
  );
}

/** React Flow's `Handle`, or another component that takes the same. */
export type HandleComponent = ComponentType<{
  type: "source" | "target";
  // biome-ignore lint/suspicious/noExplicitAny: React Flow has an enum of these words
  position: any;
}>;

const PORTS: Record<NodeKind, readonly ("source" | "target")[]> = {
  trigger: ["source"],
  agent: ["target", "source"],
  tool: ["target", "source"],
  output: ["target"],
};

function nodeOf(kind: NodeKind, Handle?: HandleComponent) {
  function WorkflowNode({ data, ...node }: BaseNodeProps) {
    return (
      <BaseNode {...node} data={{ kind, ...data }}>
        {Handle &&
          PORTS[kind].map((type) => (
            <Handle key={type} type={type} position={type === "target" ? "left" : "right"} />
          ))}
      </BaseNode>
    );
  }
  WorkflowNode.displayName = `${kind}Node`;
  return WorkflowNode;
}

export const TriggerNode = nodeOf("trigger");
export const AgentNode = nodeOf("agent");
export const ToolNode = nodeOf("tool");
export const OutputNode = nodeOf("output");

/**
 * React Flow's `nodeTypes`, with its `Handle` so that edges can be tied to the nodes. Call it once,
 * outside of components.
 */
export function createNodeTypes(Handle?: HandleComponent) {
  return {
    trigger: nodeOf("trigger", Handle),
    agent: nodeOf("agent", Handle),
    tool: nodeOf("tool", Handle),
    output: nodeOf("output", Handle),
  };
}
