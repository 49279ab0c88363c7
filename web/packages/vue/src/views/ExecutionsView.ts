import { errorInfo, isTerminal } from "@runroom/core";
import { computed, defineComponent, h, onMounted, ref, watch } from "vue";
import { useRunroom } from "../client";
import { ExecutionLogs } from "../components/ExecutionLogs";
import { ExecutionStatus } from "../components/ExecutionStatus";
import type { PublicComponent } from "../components/public";
import { statusBadge } from "../components/status";
import { useExecutionWebSocket } from "../composables/useExecutionWebSocket";
import { useExecutionStore } from "../stores/execution";
import type { Execution } from "../stores/types";

export interface ExecutionsViewProps {
  /** What the form begins with. */
  workflowId?: string;
  /** JSON; what the form begins with. */
  input?: string;
  onStarted?: (execution: Execution) => void;
  onStopped?: (executionId: string) => void;
}

/** Start an execution, watch it, stop it, and look at the earlier ones. */
export const ExecutionsView = defineComponent({
  name: "ExecutionsView",
  props: {
    workflowId: { type: String, default: "" },
    input: { type: String, default: "{}" },
  },
  emits: {
    started: (_execution: Execution) => true,
    stopped: (_executionId: string) => true,
  },
  setup(props, { emit }) {
    const client = useRunroom();
    const store = useExecutionStore();
    const { initialize, subscribeToExecution, unsubscribeFromExecution, connection } =
      useExecutionWebSocket();
    const workflowId = ref(props.workflowId);
    const input = ref(props.input);
    const asking = ref(false);
    const trouble = ref("");
    const current = computed(() => store.currentExecution);
    const running = computed(() => current.value !== null && !isTerminal(current.value.status));

    onMounted(initialize);
    watch(
      () => props.workflowId,
      (id) => {
        workflowId.value = id;
      },
    );

    async function ask(request: () => Promise<void>): Promise<void> {
      trouble.value = "";
      asking.value = true;
      try {
        await request();
      } catch (error) {
        trouble.value = errorInfo(error).message;
      } finally {
        asking.value = false;
      }
    }

    const start = () =>
      ask(async () => {
        const request = { workflowId: workflowId.value.trim(), input: parsed(input.value) };
        const { id, status } = await client.execute(request);
        const execution = { id, status, workflowId: request.workflowId };
        store.setCurrentExecution(execution);
        subscribeToExecution(id);
        for (const past of store.executionHistory) {
          if (isTerminal(past.status)) unsubscribeFromExecution(past.id);
        }
        emit("started", execution);
      });

    const stop = () =>
      ask(async () => {
        const { id } = current.value!;
        await client.cancel(id);
        emit("stopped", id);
      });

    function form() {
      return h(
        "form",
        {
          class: "rr-panel rr-form",
          onSubmit: (event: Event) => {
            event.preventDefault();
            void start();
          },
        },
        [
          h("label", [
            "Workflow ID",
            h("input", {
              name: "workflowId",
              required: true,
              value: workflowId.value,
              onInput: (event: Event) => {
                workflowId.value = (event.target as HTMLInputElement).value;
              },
            }),
          ]),
          h("label", [
            "Input (JSON)",
            h("textarea", {
              name: "input",
              rows: 3,
              value: input.value,
              onInput: (event: Event) => {
                input.value = (event.target as HTMLTextAreaElement).value;
              },
            }),
          ]),
          h("div", { class: "rr-buttons" }, [
            h(
              "button",
              { type: "submit", class: "rr-button rr-primary", disabled: asking.value },
              "Start Execution",
            ),
            h(
              "button",
              {
                type: "button",
                class: "rr-button",
                disabled: asking.value || !running.value,
                onClick: stop,
              },
              "Stop",
            ),
          ]),
          asking.value && connection.value.state !== "connected"
            ? h("p", { role: "status" }, "Waits for the connection …")
            : null,
          trouble.value ? h("p", { class: "rr-error", role: "alert" }, trouble.value) : null,
        ],
      );
    }

    function past() {
      if (store.executionHistory.length === 0) return null;
      return h("section", { class: "rr-panel", "aria-label": "Past executions" }, [
        h("header", { class: "rr-head" }, h("h3", "Past executions")),
        h(
          "ul",
          { class: "rr-nodes" },
          store.executionHistory.map(({ id, status }) =>
            h("li", { key: id }, [
              h("button", { type: "button", class: "rr-button", onClick: () => show(id) }, id),
              statusBadge(status),
            ]),
          ),
        ),
      ]);
    }

    function show(id: string): void {
      // what was subscribed already only has to be made the current one
      unsubscribeFromExecution(id);
      subscribeToExecution(id);
    }

    return () =>
      h("div", { class: "rr-view" }, [
        h("div", { class: "rr-side" }, [form(), h(ExecutionStatus), past()]),
        h(ExecutionLogs),
      ]);
  },
}) as unknown as PublicComponent<ExecutionsViewProps>;

/** @throws Error with words for the form. */
function parsed(input: string): unknown {
  if (input.trim() === "") return null;
  try {
    return JSON.parse(input);
  } catch {
    throw new Error("The input is not JSON");
  }
}
