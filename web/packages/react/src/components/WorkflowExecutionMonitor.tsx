import { durationOf, type ExecutionStatus } from "@runroom/core";
import { useState } from "react";
import { EMOJI, LABELS } from "../status";
import { useExecution } from "../useExecution";
import { durationText, useNow } from "../useNow";
import { ExecutionLogViewer } from "./ExecutionLogViewer";

/** What a list of executions knows; the stream goes on from there. */
export interface MonitoredExecution {
  id: string;
  workflow_id: string;
  status: ExecutionStatus;
  created_at: string;
  completed_at?: string | null;
  progress?: number;
  error_message?: string | null;
}

export interface WorkflowExecutionMonitorProps {
  execution: MonitoredExecution;
  /** Whether the log is open at first. Default: false. */
  showLogs?: boolean;
  backendUrl?: string | undefined;
}

/** An execution at a glance: status, progress, live duration, and the log if it is wanted. */
export function WorkflowExecutionMonitor({
  execution,
  showLogs = false,
  backendUrl,
}: WorkflowExecutionMonitorProps) {
  const [open, setOpen] = useState(showLogs);
  const snapshot = useExecution(execution.id, { history: false, backendUrl });
  const state = snapshot?.state ?? null;
  const status = state?.status ?? execution.status;
  const progress = state?.progress ?? execution.progress ?? 0;
  const error = state?.error ?? snapshot?.error?.message ?? execution.error_message;
  return (
    <article
      className={`rr-monitor rr-monitor-${status}`}
      aria-label={`Execution ${execution.id}`}
      data-testid={`execution-${execution.id}`}
    >
      <header className="rr-head">
        <span className="rr-emoji" aria-hidden="true">
          {EMOJI[status]}
        </span>
        <span className="rr-title">
          <strong>{state?.workflowName ?? execution.workflow_id}</strong>
          <code>{execution.id}</code>
        </span>
        <span data-testid="execution-status" data-status={status}>
          {LABELS[status]}
        </span>
        <LiveDuration execution={execution} snapshot={snapshot} status={status} />
        <button
          type="button"
          className="rr-button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {open ? "Hide Logs" : "Show Logs"}
        </button>
      </header>
      {status === "running" ? (
        <div className="rr-progress">
          <progress data-testid="progress" max={100} value={progress} aria-label="Progress" />
          <span>{progress} %</span>
        </div>
      ) : null}
      {error ? (
        <p className="rr-error" role="alert">
          {error}
        </p>
      ) : null}
      {open ? <ExecutionLogViewer executionId={execution.id} backendUrl={backendUrl} /> : null}
    </article>
  );
}

interface LiveDurationProps {
  execution: MonitoredExecution;
  snapshot: ReturnType<typeof useExecution>;
  status: ExecutionStatus;
}

/** Stands still, and says so, when the connection is gone. */
function LiveDuration({ execution, snapshot, status }: LiveDurationProps) {
  const now = useNow(status === "running");
  const { ms, ticking } = snapshot
    ? durationOf(snapshot.state, snapshot.connection, now)
    : { ms: givenDuration(execution), ticking: false };
  if (ms === null) return null;
  const still = status === "running" && !ticking;
  return (
    <span data-testid="duration" title={still ? "The connection is gone" : undefined}>
      {durationText(ms)}
      {still ? " (paused)" : ""}
    </span>
  );
}

function givenDuration({ created_at, completed_at }: MonitoredExecution): number | null {
  if (!completed_at) return null;
  return Math.max(0, Date.parse(completed_at) - Date.parse(created_at));
}
