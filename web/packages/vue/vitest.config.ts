import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [vue()],
  resolve: { conditions: ["runroom-source", "module", "browser", "development"] },
  test: {
    name: "vue",
    environment: "happy-dom",
    include: ["test/**/*.test.ts"],
    env: { EXPECTED_VERSION: "3.5." },
    restoreMocks: true,
  },
});
