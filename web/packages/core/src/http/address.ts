const FALLBACK = "http://localhost:3001";

/** The server's address: as given, else `VITE_WS_URL`, `VITE_BACKEND_URL`, `http://localhost:3001`. */
export function serverUrl(given?: string): string {
  const url = given || fromBuild() || fromProcess() || FALLBACK;
  return url.replace(/\/+$/, "");
}

type Env = { env?: Record<string, string | undefined> };

function fromBuild(): string | undefined {
  // a bundler replaces these very words, so they stand here in full
  return (import.meta as Env).env?.VITE_WS_URL || (import.meta as Env).env?.VITE_BACKEND_URL;
}

function fromProcess(): string | undefined {
  const { process } = globalThis as { process?: Env };
  return process?.env?.VITE_WS_URL || process?.env?.VITE_BACKEND_URL;
}
