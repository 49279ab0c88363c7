import type { ExecutionStatus, NodeStatus, Watchable } from "@runroom/core";
import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import { Feed, type Sheet } from "./feed";
import type { Execution, ExecutionLog } from "./types";

/** The newest lines that `logs` keeps; the server has them all. */
export const LOG_LIMIT = 10_000;

/**
 * The execution that is shown, its lines, the statuses of its nodes, and those that were shown
 * before. `useExecutionWebSocket` keeps it up to date.
 */
export const useExecutionStore = defineStore("execution", () => {
  const currentExecution = shallowRef<Execution | null>(null);
  /** Newest first; without the current one. */
  const executionHistory = shallowRef<Execution[]>([]);
  /** Of the current execution. Another array after each change. */
  const logs = shallowRef<ExecutionLog[]>([]);
  /** The status of each node of the current execution. */
  const realTimeStatus = ref(new Map<string, string>());
  const feeds = new Map<string, { feed: Feed; count: number }>();

  /** Show this one; the lines and nodes of another are gone, itself goes into the history. */
  function setCurrentExecution(execution: Execution | null): void {
    const before = currentExecution.value;
    if (before?.id === execution?.id) {
      currentExecution.value = execution && { ...before, ...execution };
      return;
    }
    const past = executionHistory.value.filter(({ id }) => id !== execution?.id);
    executionHistory.value = before === null ? past : [before, ...past];
    currentExecution.value = execution;
    clearLogs();
    realTimeStatus.value = new Map();
    for (const { feed } of feeds.values()) feed.carry();
  }

  function addLog(log: ExecutionLog): void {
    addLogs([log]);
  }

  function addLogs(added: readonly ExecutionLog[]): void {
    logs.value = [...logs.value, ...added].slice(-LOG_LIMIT);
  }

  function clearLogs(): void {
    logs.value = [];
  }

  function updateNodeStatus(nodeId: string, status: NodeStatus | (string & {})): void {
    realTimeStatus.value.set(nodeId, status);
  }

  function updateExecutionStatus(executionId: string, status: ExecutionStatus): void {
    update(executionId, { status });
  }

  function setExecutionResult(executionId: string, result: unknown): void {
    update(executionId, { result });
  }

  function setExecutionError(executionId: string, error: string): void {
    update(executionId, { error });
  }

  function update(executionId: string, known: Partial<Execution>): void {
    const current = currentExecution.value;
    if (current?.id === executionId) currentExecution.value = { ...current, ...known };
    if (executionHistory.value.some(({ id }) => id === executionId)) {
      executionHistory.value = executionHistory.value.map((each) =>
        each.id === executionId ? { ...each, ...known } : each,
      );
    }
  }

  const sheet: Sheet = {
    limit: LOG_LIMIT,
    isCurrent: (executionId) => currentExecution.value?.id === executionId,
    update,
    updateNodeStatus,
    addLogs,
    clearLogs,
  };

  /** Show this execution, and keep it up to date until the undo is called. Counted. */
  function follow(client: Watchable, executionId: string): () => void {
    const known = feeds.get(executionId);
    const entry = known ?? { feed: new Feed(client.watch(executionId), sheet), count: 0 };
    entry.count += 1;
    feeds.set(executionId, entry);
    if (currentExecution.value?.id !== executionId) {
      const before = executionHistory.value.find(({ id }) => id === executionId);
      setCurrentExecution(before ?? { id: executionId, status: "pending" });
    } else if (known === undefined) {
      entry.feed.carry();
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      entry.count -= 1;
      if (entry.count > 0) return;
      feeds.delete(executionId);
      entry.feed.end();
    };
  }

  return {
    currentExecution,
    executionHistory,
    logs,
    realTimeStatus,
    setCurrentExecution,
    addLog,
    clearLogs,
    updateNodeStatus,
    updateExecutionStatus,
    setExecutionResult,
    setExecutionError,
    follow,
  };
});
