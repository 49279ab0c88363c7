import { defineConfig } from "tsdown";

export default defineConfig({
  entry: "src/index.ts",
  platform: "neutral",
  dts: true,
  sourcemap: true,
  copy: ["src/realtime-visualizer.css"],
  // hooks: a server component imports it as a client's
  banner: { js: '"use client";' },
});
