import { fileURLToPath } from "node:url";
import { mergeConfig } from "vitest/config";
import newest from "./vitest.config.ts";

const OLDEST = fileURLToPath(new URL("../../oldest/vue/node_modules/", import.meta.url));

/** The same tests with the oldest Vue and Pinia that are supported. */
export default mergeConfig(newest, {
  resolve: {
    alias: [
      { find: /^vue$/, replacement: `${OLDEST}vue/index.mjs` },
      { find: /^pinia$/, replacement: `${OLDEST}pinia/dist/pinia.mjs` },
    ],
  },
  test: { name: "vue-oldest", env: { EXPECTED_VERSION: "3.4." }, exclude: ["test/readme.test.ts"] },
});
