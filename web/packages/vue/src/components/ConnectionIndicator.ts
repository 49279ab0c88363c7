import { defineComponent, h } from "vue";
import { useConnection } from "../composables/useConnection";
import type { PublicComponent } from "./public";

/** 🟢 connected, 🟡 reconnecting, 🔴 disconnected: a dot and a word. */
export const ConnectionIndicator = defineComponent({
  name: "ConnectionIndicator",
  setup() {
    const { connection, isConnected, isReconnecting, reconnect } = useConnection();
    return () => {
      const { state, error } = connection.value;
      const trying = isReconnecting.value || state === "connecting";
      const look = isConnected.value ? "connected" : trying ? "reconnecting" : "disconnected";
      const words = { connected: "Connected", disconnected: "Disconnected" } as const;
      const trouble = state === "connecting" ? "Connecting" : "Reconnecting";
      const word = look === "reconnecting" ? trouble : words[look];
      return h(
        "span",
        { class: "rr-connection", "data-testid": "connection", "data-state": state },
        [
          h("span", { class: ["rr-dot", `rr-dot-${look}`], "aria-hidden": "true" }),
          h("span", { role: "status", title: error?.message }, word),
          look === "disconnected" && error !== null
            ? h("button", { type: "button", class: "rr-button", onClick: reconnect }, "Reconnect")
            : null,
        ],
      );
    };
  },
}) as unknown as PublicComponent<object>;
