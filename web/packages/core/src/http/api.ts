import type { ExecutionRecord, ExecutionState, Workflow } from "../contract/contract.gen";
import type { Event, EventOf, EventType, Level, Preview } from "../contract/types";
import { Http, type HttpOptions } from "./http";
import type {
  Accepted,
  ExecuteOptions,
  ExecutionItem,
  ExecutionQuery,
  Stats,
  StoredWorkflow,
  UiConfig,
} from "./types";

/** The server's HTTP interface. Every call rejects with a `RunroomError`. */
export class Api {
  readonly executions: ExecutionsApi;
  readonly workflows: WorkflowsApi;
  readonly #http: Http;

  constructor(options: HttpOptions = {}) {
    this.#http = new Http(options);
    this.executions = new ExecutionsApi(this.#http);
    this.workflows = new WorkflowsApi(this.#http);
  }

  get url(): string {
    return this.#http.url;
  }

  /** The whole of what a preview stands for. */
  value(preview: Preview): Promise<unknown> {
    return this.#http.get(preview.$ref);
  }

  stats(): Promise<Stats> {
    return this.#http.get("/api/stats");
  }

  uiConfig(): Promise<UiConfig> {
    return this.#http.get("/api/ui-config");
  }

  /** In development only, and only from the server's own machine. */
  devToken(
    request: { role?: "viewer" | "operator" | "admin"; sub?: string; name?: string } = {},
  ): Promise<{ token: string; expiresIn: number }> {
    return this.#http.post("/api/dev/token", request, { anonymous: true });
  }
}

export class ExecutionsApi {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Newest first. */
  list(query: ExecutionQuery = {}): Promise<{ items: ExecutionItem[]; nextCursor: string | null }> {
    return this.#http.get("/api/executions", { ...query });
  }

  get(id: string): Promise<ExecutionState> {
    return this.#http.get(path(id));
  }

  events(
    id: string,
    { types, ...query }: { after?: number; limit?: number; types?: readonly EventType[] } = {},
  ): Promise<{ execution: ExecutionRecord; events: Event[]; head: number }> {
    return this.#http.get(path(id, "events"), { ...query, type: types });
  }

  /** The lines that pass; `nextAfter` is null on the last page. */
  logs(
    id: string,
    { levels, text, ...query }: LogQuery & { after?: number; limit?: number } = {},
  ): Promise<{ events: EventOf<"log">[]; head: number; nextAfter: number | null }> {
    return this.#http.get(path(id, "logs"), { ...query, level: levels, q: text });
  }

  /** The log as text, a line for each message. */
  download(id: string, { levels, text, ...query }: LogQuery = {}): Promise<Blob> {
    return this.#http.blob(path(id, "logs"), { ...query, level: levels, q: text }, "text/plain");
  }

  output(id: string, nodeId: string): Promise<unknown> {
    return this.#http.get(path(id, `nodes/${encodeURIComponent(nodeId)}/output`));
  }

  result(id: string): Promise<unknown> {
    return this.#http.get(path(id, "result"));
  }

  input(id: string): Promise<unknown> {
    return this.#http.get(path(id, "input"));
  }

  /** The answer's `id` and `executionId` are the same. */
  execute({ workflowId, idempotencyKey, ...request }: ExecuteOptions): Promise<Accepted> {
    const address = `/api/workflows/${encodeURIComponent(workflowId)}/execute`;
    return this.#http.post(address, request, { idempotencyKey });
  }

  /** Start a simulated execution under an id that is not used yet. */
  startStreaming(id: string): Promise<Accepted> {
    return this.#http.post(`/executions/${encodeURIComponent(id)}/start-streaming`);
  }

  cancel(id: string): Promise<Accepted> {
    return this.#http.post(path(id, "cancel"));
  }

  /** A new execution of the same graph and input, all of it or from a node on. */
  retry(
    id: string,
    { fromNode, idempotencyKey }: { fromNode?: string; idempotencyKey?: string } = {},
  ): Promise<Accepted> {
    return this.#http.post(path(id, "retry"), { fromNode }, { idempotencyKey });
  }
}

export class WorkflowsApi {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  async list(): Promise<StoredWorkflow[]> {
    return (await this.#http.get<{ items: StoredWorkflow[] }>("/api/workflows")).items;
  }

  get(id: string): Promise<StoredWorkflow> {
    return this.#http.get(`/api/workflows/${encodeURIComponent(id)}`);
  }

  create(workflow: Workflow): Promise<StoredWorkflow> {
    return this.#http.post("/api/workflows", workflow);
  }

  update(id: string, workflow: Workflow): Promise<StoredWorkflow> {
    return this.#http.put(`/api/workflows/${encodeURIComponent(id)}`, workflow);
  }

  remove(id: string): Promise<void> {
    return this.#http.remove(`/api/workflows/${encodeURIComponent(id)}`);
  }
}

interface LogQuery {
  levels?: readonly Level[];
  nodeId?: string;
  /** Part of the message, in any case. */
  text?: string;
}

function path(id: string, rest?: string): string {
  const whole = `/api/executions/${encodeURIComponent(id)}`;
  return rest === undefined ? whole : `${whole}/${rest}`;
}
