import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["runroom-source", "module", "browser", "development"] },
  test: {
    name: "react",
    environment: "happy-dom",
    include: ["test/**/*.test.{ts,tsx}"],
    env: { EXPECTED_VERSION: "19." },
    restoreMocks: true,
  },
});
