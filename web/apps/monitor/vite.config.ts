import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import vue from "@vitejs/plugin-vue";
import { defineConfig, type Plugin } from "vite";

const STATIC = fileURLToPath(new URL("../../../bff/static", import.meta.url));
const SERVER = process.env.RUNROOM_URL ?? "http://127.0.0.1:3001";
const COMPRESSIBLE = /\.(html|js|css|svg|json)$/;

/** Writes a .gz and a .br beside each file that gains by it, so that the server need not. */
function precompress(): Plugin {
  return {
    name: "runroom:precompress",
    apply: "build",
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((each) => COMPRESSIBLE.test(each))) {
        const path = join(dir ?? STATIC, name);
        const data = readFileSync(path);
        const level = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        for (const [suffix, small] of [
          [".gz", gzipSync(data, { level: 9 })],
          [".br", brotliCompressSync(data, { params: level })],
        ] as const) {
          if (small.length < data.length) writeFileSync(path + suffix, small);
        }
      }
    },
  };
}

/** Nothing is painted before the script has chosen between dark and light. */
function paintOnce(): Plugin {
  return {
    name: "runroom:paint-once",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace('<script type="module"', '$& blocking="render"'),
    },
  };
}

export default defineConfig(({ mode }) => ({
  plugins: [vue(), paintOnce(), precompress()],
  resolve: {
    conditions: [
      "runroom-source",
      "module",
      "browser",
      mode === "production" ? "production" : "development",
    ],
  },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    // a data: URL would need a hole in the page's content security policy
    assetsInlineLimit: 0,
    target: "es2022",
    reportCompressedSize: true,
  },
  server: {
    // the examples, which the page offers, are the repository's
    fs: { allow: [fileURLToPath(new URL("../../..", import.meta.url))] },
    proxy: {
      "/api": SERVER,
      "/socket.io": { target: SERVER, ws: true },
    },
  },
}));
