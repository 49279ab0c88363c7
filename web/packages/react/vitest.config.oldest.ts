import { fileURLToPath } from "node:url";
import { mergeConfig } from "vitest/config";
import newest from "./vitest.config.ts";

const OLDEST = fileURLToPath(new URL("../../oldest/react/node_modules/", import.meta.url));

/** The same tests with the oldest React that is supported. */
export default mergeConfig(newest, {
  resolve: {
    alias: [
      { find: /^(react|react-dom)$/, replacement: `${OLDEST}$1/index.js` },
      { find: /^(react|react-dom)\/(.*)$/, replacement: `${OLDEST}$1/$2.js` },
    ],
  },
  test: {
    name: "react-oldest",
    env: { EXPECTED_VERSION: "18." },
    exclude: ["test/flow.test.tsx", "test/readme.test.tsx"],
  },
});
