import { Runroom } from "@runroom/core";
import { RunroomProvider } from "@runroom/react";
import "@runroom/react/realtime-visualizer.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";

const client = new Runroom({
  url: "http://localhost:3001",
  token: () => sessionStorage.getItem("token"),
});

createRoot(document.getElementById("root")!).render(
  <RunroomProvider client={client}>
    <App client={client} />
  </RunroomProvider>,
);
