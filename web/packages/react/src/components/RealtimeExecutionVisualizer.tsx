import {
  durationOf,
  type ExecutionSnapshot,
  type ExecutionState,
  isPreview,
  isTerminal,
} from "@runroom/core";
import { useMemo, useRef } from "react";
import { useRunroom } from "../client";
import { useChanges } from "../observed";
import { EMOJI, LABELS, type VisualStatus, visualStatusOf } from "../status";
import { useExecution } from "../useExecution";
import { durationText, useNow } from "../useNow";
import { BaseNode } from "./BaseNode";
import { ConnectionIndicator } from "./ConnectionIndicator";
import { layoutOf, NODE_HEIGHT, NODE_WIDTH } from "./layout";

export interface RealtimeExecutionVisualizerProps {
  executionId: string;
  /** Default: the provider's server, `VITE_WS_URL`, `VITE_BACKEND_URL`, http://localhost:3001. */
  backendUrl?: string | undefined;
  /** Called with each status that a node is shown in, in order. */
  onNodeUpdate?: ((nodeId: string, status: VisualStatus) => void) | undefined;
}

/** An execution's graph with live statuses, connections that flow, progress, and how it ended. */
export function RealtimeExecutionVisualizer({
  executionId,
  backendUrl,
  onNodeUpdate,
}: RealtimeExecutionVisualizerProps) {
  const snapshot = useExecution(executionId, { history: false, backendUrl });
  useNodeUpdates(executionId, backendUrl, onNodeUpdate);
  const state = snapshot?.state ?? null;
  return (
    <section className="rr-visualizer" aria-label="Execution">
      <header className="rr-head">
        <strong className="rr-title">{state?.workflowName ?? executionId}</strong>
        {state && <Overview snapshot={snapshot!} state={state} />}
        <ConnectionIndicator backendUrl={backendUrl} />
      </header>
      {snapshot?.error ? (
        <p className="rr-error" role="alert">
          {snapshot.error.message}
        </p>
      ) : null}
      {state === null ? <p className="rr-empty">Waiting for the execution …</p> : null}
      {state && <GraphView state={state} />}
      {state && isTerminal(state.status) ? <Summary state={state} /> : null}
    </section>
  );
}

function useNodeUpdates(
  executionId: string,
  backendUrl: string | undefined,
  onNodeUpdate: RealtimeExecutionVisualizerProps["onNodeUpdate"],
): void {
  const told = useRef({ executionId, statuses: new Map<string, VisualStatus>() });
  useChanges(useRunroom(backendUrl), executionId, (store) => {
    if (told.current.executionId !== executionId) {
      told.current = { executionId, statuses: new Map() };
    }
    const { statuses } = told.current;
    for (const { nodeId, status: word } of Object.values(store.getSnapshot().state?.nodes ?? {})) {
      const status = visualStatusOf(word);
      if (statuses.get(nodeId) === status) continue;
      statuses.set(nodeId, status);
      onNodeUpdate?.(nodeId, status);
    }
  });
}

function Overview({ snapshot, state }: { snapshot: ExecutionSnapshot; state: ExecutionState }) {
  const { status, progress } = state;
  const now = useNow(status === "running");
  const { ms, ticking } = durationOf(state, snapshot.connection, now);
  return (
    <>
      <span data-testid="execution-status" data-status={status}>
        {EMOJI[status]} {LABELS[status]}
      </span>
      {ms === null ? null : (
        <span title={ticking ? undefined : "The clock stands still"}>{durationText(ms)}</span>
      )}
      <progress data-testid="progress" max={100} value={progress} aria-label="Progress">
        {progress} %
      </progress>
    </>
  );
}

function GraphView({ state }: { state: ExecutionState }) {
  const { graph, nodes } = state;
  const layout = useMemo(() => layoutOf(graph), [graph]);
  return (
    <div className="rr-canvas">
      <div style={{ width: layout.width, height: layout.height, position: "relative" }}>
        <svg width={layout.width} height={layout.height} aria-hidden="true">
          {layout.edges.map(({ source, target, path }) => {
            const flows = nodes[target]?.status === "running";
            return (
              <path
                key={`${source} ${target}`}
                d={path}
                className={flows ? "rr-edge flow-animation" : "rr-edge"}
              />
            );
          })}
        </svg>
        {layout.nodes.map(({ node, x, y }) => {
          const shown = nodes[node.id];
          return (
            <div
              key={node.id}
              className="rr-place"
              style={{ left: x, top: y, width: NODE_WIDTH, height: NODE_HEIGHT }}
            >
              <BaseNode
                id={node.id}
                data={{ ...shown, label: node.name ?? node.id, kind: node.kind }}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** How it ended, as a panel: overall status, nodes by status, error and result. */
function Summary({ state: { status, nodes, error, result } }: { state: ExecutionState }) {
  const counts = new Map<string, number>();
  for (const node of Object.values(nodes)) {
    counts.set(node.status, (counts.get(node.status) ?? 0) + 1);
  }
  const text = isPreview(result) ? `${result.$preview}…` : JSON.stringify(result, null, 2);
  return (
    <section className={`rr-summary rr-summary-${status}`} aria-label="Summary">
      <strong>
        {EMOJI[status]} {LABELS[status]}
      </strong>
      <span>
        {[...counts].map(([word, count]) => `${count} ${LABELS[word]?.toLowerCase()}`).join(", ")}
      </span>
      {error ? <p className="rr-error">{error}</p> : null}
      {result == null ? null : (
        <details>
          <summary>Result</summary>
          <pre>{text}</pre>
        </details>
      )}
    </section>
  );
}
