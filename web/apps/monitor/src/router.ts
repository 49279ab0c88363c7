import { createRouter, createWebHistory, type Router } from "vue-router";
import ExecutionsView from "./executions/ExecutionsView.vue";

export function createPageRouter(): Router {
  return createRouter({
    history: createWebHistory(),
    routes: [
      { path: "/", name: "home", redirect: (to) => ({ name: "executions", query: to.query }) },
      { path: "/executions", name: "executions", component: ExecutionsView },
      {
        path: "/executions/:id",
        name: "execution",
        component: () => import("./execution/ExecutionView.vue"),
        props: true,
      },
      {
        path: "/monitoring",
        name: "monitoring",
        component: () => import("./monitoring/MonitoringView.vue"),
        meta: { title: "Monitoring" },
      },
      {
        path: "/stats",
        name: "stats",
        component: () => import("./metrics/MetricsView.vue"),
        meta: { title: "Metrics" },
      },
      {
        path: "/:path(.*)*",
        name: "not-found",
        component: () => import("./shell/NotFound.vue"),
        meta: { title: "Not found" },
      },
    ],
  });
}
