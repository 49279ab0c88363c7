import { createPinia, setActivePinia } from "pinia";
import { beforeEach, expect, it } from "vitest";
import { computed } from "vue";
import { LOG_LIMIT, useExecutionStore } from "../src";

beforeEach(() => setActivePinia(createPinia()));

const line = (id: string) => ({ id, level: "info" as const, message: id, createdAt: new Date(0) });

it("begins with nothing", () => {
  const store = useExecutionStore();
  expect(store.$state).toEqual({
    currentExecution: null,
    executionHistory: [],
    logs: [],
    realTimeStatus: new Map(),
  });
});

it("keeps what was current in the history, newest first, and each once", () => {
  const store = useExecutionStore();
  for (const id of ["a", "b", "c", "a"]) store.setCurrentExecution({ id, status: "running" });
  expect(store.currentExecution?.id).toBe("a");
  expect(store.executionHistory.map(({ id }) => id)).toEqual(["c", "b"]);
  store.setCurrentExecution(null);
  expect(store.executionHistory.map(({ id }) => id)).toEqual(["a", "c", "b"]);
});

it("forgets the lines and nodes of another execution, not those of the same", () => {
  const store = useExecutionStore();
  store.setCurrentExecution({ id: "a", status: "pending" });
  store.addLog(line("1"));
  store.updateNodeStatus("n", "running");
  store.setCurrentExecution({ id: "a", status: "running" });
  expect([store.logs.length, store.realTimeStatus.size]).toEqual([1, 1]);
  store.setCurrentExecution({ id: "b", status: "pending" });
  expect([store.logs.length, store.realTimeStatus.size]).toEqual([0, 0]);
});

it("updates an execution wherever it is", () => {
  const store = useExecutionStore();
  store.setCurrentExecution({ id: "a", status: "running" });
  store.setCurrentExecution({ id: "b", status: "running" });
  store.updateExecutionStatus("a", "failed");
  store.setExecutionError("a", "boom");
  store.updateExecutionStatus("b", "completed");
  store.setExecutionResult("b", { n: 1 });
  store.updateExecutionStatus("nobody", "failed");
  expect(store.currentExecution).toEqual({ id: "b", status: "completed", result: { n: 1 } });
  expect(store.executionHistory).toEqual([{ id: "a", status: "failed", error: "boom" }]);
});

it("is reactive in all its parts", () => {
  const store = useExecutionStore();
  const seen = computed(() => [store.logs.length, store.realTimeStatus.get("n")]);
  expect(seen.value).toEqual([0, undefined]);
  store.addLog(line("1"));
  store.updateNodeStatus("n", "running");
  expect(seen.value).toEqual([1, "running"]);
  store.updateNodeStatus("n", "completed");
  store.clearLogs();
  expect(seen.value).toEqual([0, "completed"]);
});

it("keeps the newest lines", () => {
  const store = useExecutionStore();
  for (let n = 0; n < LOG_LIMIT + 5; n += 1) store.addLog(line(String(n)));
  expect(store.logs).toHaveLength(LOG_LIMIT);
  expect(store.logs[0]?.id).toBe("5");
}, 20_000);
