import { computed, defineComponent, h, type PropType, ref } from "vue";
import { LOG_LIMIT, useExecutionStore } from "../stores/execution";
import type { ExecutionLog } from "../stores/types";
import { ConnectionIndicator } from "./ConnectionIndicator";
import type { PublicComponent } from "./public";
import { clockTime } from "./status";
import { useWindow } from "./useWindow";

/** As `.rr-log-row` has it. */
const ROW_HEIGHT = 22;

export interface ExecutionLogsProps {
  /** Default: the execution store's. */
  logs?: ExecutionLog[];
  /** Default: Logs */
  title?: string;
  /** The clear button; without `logs` the store's lines are gone by now. */
  onClear?: () => void;
}

/** The lines of the current execution, following the newest. */
export const ExecutionLogs = defineComponent({
  name: "ExecutionLogs",
  props: {
    logs: { type: Array as PropType<ExecutionLog[]>, default: undefined },
    title: { type: String, default: "Logs" },
  },
  emits: { clear: () => true },
  setup(props, { emit }) {
    const store = useExecutionStore();
    const lines = computed(() => props.logs ?? store.logs);
    const box = ref<HTMLElement | null>(null);
    const rows = useWindow(box, () => lines.value.length, ROW_HEIGHT);

    function clear(): void {
      if (props.logs === undefined) store.clearLogs();
      emit("clear");
    }

    function row(log: ExecutionLog) {
      return h("div", { key: log.id, class: ["rr-log-row", `rr-log-${log.level}`] }, [
        h("time", { class: "rr-log-time" }, clockTime(log.createdAt)),
        h("span", { class: "rr-log-level" }, log.level),
        log.nodeId ? h("span", { class: "rr-log-node" }, log.nodeId) : null,
        h("span", { class: "rr-log-message", title: log.message }, log.message),
      ]);
    }

    return () => {
      const count = lines.value.length;
      const first = Math.min(rows.first.value, count);
      const full = count >= LOG_LIMIT ? `the newest ${count.toLocaleString()} lines` : `${count}`;
      return h("section", { class: "rr-panel rr-logs", "aria-label": props.title }, [
        h("header", { class: "rr-head" }, [
          h("h3", `${props.title} (${full})`),
          h(ConnectionIndicator),
          rows.follows.value
            ? null
            : h("button", { type: "button", class: "rr-button", onClick: rows.toEnd }, "Newest"),
          h(
            "button",
            { type: "button", class: "rr-button", disabled: count === 0, onClick: clear },
            "Clear",
          ),
        ]),
        h(
          "div",
          {
            ref: box,
            class: "rr-log-box",
            role: "log",
            tabindex: 0,
            "aria-label": props.title,
            onScrollPassive: rows.onScroll,
          },
          count === 0
            ? h("p", { class: "rr-empty" }, "No lines yet")
            : h("div", { style: { height: `${count * ROW_HEIGHT}px` } }, [
                h(
                  "div",
                  { style: { transform: `translateY(${first * ROW_HEIGHT}px)` } },
                  lines.value.slice(first, rows.last.value).map(row),
                ),
              ]),
        ),
      ]);
    };
  },
}) as unknown as PublicComponent<ExecutionLogsProps>;
