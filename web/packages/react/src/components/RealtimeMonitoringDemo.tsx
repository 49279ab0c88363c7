import { errorInfo, Runroom, type Watchable } from "@runroom/core";
import { useState } from "react";
import { useRunroom } from "../client";
import { ConnectionIndicator } from "./ConnectionIndicator";
import { type MonitoredExecution, WorkflowExecutionMonitor } from "./WorkflowExecutionMonitor";

export interface RealtimeMonitoringDemoProps {
  /**
   * Starts an execution. Default: the server simulates one (`POST /executions/{id}/start-streaming`);
   * with a `Simulator` as the provider's client, that does.
   */
  startExecution?: (() => Promise<{ id: string; workflowId?: string }>) | undefined;
  backendUrl?: string | undefined;
}

/** Starts executions and watches several of them at once. */
export function RealtimeMonitoringDemo({
  startExecution,
  backendUrl,
}: RealtimeMonitoringDemoProps) {
  const client = useRunroom(backendUrl);
  const [executions, setExecutions] = useState<readonly MonitoredExecution[]>([]);
  const [starting, setStarting] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function start(): Promise<void> {
    setStarting(true);
    setTrouble(null);
    try {
      const { id, workflowId } = await (startExecution ?? (() => simulate(client)))();
      const execution: MonitoredExecution = {
        id,
        workflow_id: workflowId ?? "simulated",
        status: "pending",
        created_at: new Date().toISOString(),
      };
      setExecutions((before) => [execution, ...before]);
    } catch (error) {
      setTrouble(errorInfo(error).message);
    } finally {
      setStarting(false);
    }
  }

  return (
    <section className="rr-demo" aria-label="Real-time monitoring">
      <header className="rr-head">
        <strong className="rr-title">Executions ({executions.length})</strong>
        <ConnectionIndicator backendUrl={backendUrl} />
        <button
          type="button"
          className="rr-button rr-primary"
          disabled={starting}
          onClick={() => void start()}
        >
          Start New Execution
        </button>
      </header>
      {trouble ? (
        <p className="rr-error" role="alert">
          {trouble}
        </p>
      ) : null}
      {executions.length === 0 ? (
        <p className="rr-empty">
          No active executions. Start one to see its status and its log as they change.
        </p>
      ) : null}
      {executions.map((execution, position) => (
        <WorkflowExecutionMonitor
          key={execution.id}
          execution={execution}
          showLogs={position === executions.length - 1}
          backendUrl={backendUrl}
        />
      ))}
    </section>
  );
}

async function simulate(client: Watchable): Promise<{ id: string; workflowId: string }> {
  if (client instanceof Runroom) {
    return client.api.executions.startStreaming(
      `demo-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
    );
  }
  return client.execute({ workflowId: "simulated" });
}
