import { createApp, defineComponent, h } from "vue";
import { createRouter, createWebHistory, RouterView } from "vue-router";
import { createModel, provideModel } from "../../../apps/monitor/src/execution/model";
import { provideViewState } from "../../../apps/monitor/src/execution/view";
import GraphView from "../../../apps/monitor/src/graph/GraphView.vue";
import "../../../apps/monitor/src/theme/tokens.css";
import "../../../apps/monitor/src/theme/base.css";
import "../../../apps/monitor/src/ui/controls.css";
import { startTheme } from "../../../apps/monitor/src/theme/theme";
import { Feed } from "./feed";

/** The graph alone, fed at `?rate=` updates a second: `?nodes=` and `?edges=` say how large. */
const given = new URLSearchParams(location.search);
const number = (name: string, otherwise: number) => Number(given.get(name) ?? otherwise);
const feed = new Feed(number("nodes", 500), number("edges", 700));

const Page = defineComponent(() => {
  const view = provideViewState();
  provideModel(createModel(feed, "bench", view));
  return () => h("div", { id: "graph" }, h(GraphView));
});

const routes = [{ path: "/:rest(.*)*", component: Page }];
startTheme();
createApp(RouterView)
  .use(createRouter({ history: createWebHistory(), routes }))
  .mount("#app");
Object.assign(window, {
  start: () => feed.start(number("rate", 1_000)),
  seen: () => feed.store.getSnapshot().seq,
});
