import { Runroom } from "@runroom/core";
import { createApp, defineComponent, h } from "vue";
import { createRouter, createWebHistory, RouterView } from "vue-router";
import { provideClient } from "../../../apps/monitor/src/client";
import { provideActions } from "../../../apps/monitor/src/execution/actions";
import { createModel, provideModel } from "../../../apps/monitor/src/execution/model";
import { provideViewState } from "../../../apps/monitor/src/execution/view";
import GraphView from "../../../apps/monitor/src/graph/GraphView.vue";
import LogsView from "../../../apps/monitor/src/logs/LogsView.vue";
import "../../../apps/monitor/src/theme/tokens.css";
import "../../../apps/monitor/src/theme/base.css";
import "../../../apps/monitor/src/ui/controls.css";
import { startTheme } from "../../../apps/monitor/src/theme/theme";
import { Feed } from "./feed";

/** The log, and with `?nodes=` the graph above it. */
const nodes = Number(new URLSearchParams(location.search).get("nodes") ?? 0);
const feed = new Feed(nodes || 100);
const runroom = new Runroom({ autoConnect: false });

const Page = defineComponent(() => {
  const view = provideViewState();
  const model = createModel(feed.watchable(), "bench", view);
  provideModel(model);
  provideActions(model);
  Object.assign(window, { feed, view });
  const graph = nodes > 0 ? [h("div", h(GraphView))] : [];
  return () => h("div", { id: "page" }, [...graph, h("div", h(LogsView))]);
});

const routes = [{ path: "/:rest(.*)*", component: Page }];
startTheme();
const app = createApp(RouterView).use(createRouter({ history: createWebHistory(), routes }));
provideClient(app, { runroom, hasToken: { value: false }, setToken: () => {} } as never);
app.mount("#app");
