import { layout } from "./layout";
import type { LayoutRequest } from "./types";

self.addEventListener("message", ({ data }: MessageEvent<LayoutRequest>) => {
  self.postMessage(layout(data));
});
