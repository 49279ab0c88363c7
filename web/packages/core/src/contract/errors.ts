import type { ERROR_CODES } from "./contract.gen";

/** The server's codes, and our own: `offline`, `queue_full`, `timeout`, `unreachable`, `closed`. */
export type ErrorCode =
  | (typeof ERROR_CODES)[number]
  | "offline"
  | "queue_full"
  | "timeout"
  | "unreachable"
  | "closed"
  | "token_unavailable"
  | (string & {});

/** What a snapshot says of trouble: a code and a sentence. */
export interface ErrorInfo {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A refusal or a failure, wherever it came from: HTTP, an acknowledgement, the fold. */
export class RunroomError extends Error implements ErrorInfo {
  override readonly name = "RunroomError";
  readonly code: ErrorCode;
  /** The HTTP status, if there was one. */
  readonly status: number | undefined;
  /** All problems of a workflow that is not valid, and the like. */
  readonly details: unknown;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: { status?: number; details?: unknown; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = more.status;
    this.details = more.details;
    this.retryAfterMs = more.retryAfterMs;
  }

  /** The same request may succeed later. */
  get transient(): boolean {
    return TRANSIENT.has(this.code);
  }

  /** The error of a wire's `{code, message, …}`, whatever was really there. */
  static from(wire: unknown, status?: number): RunroomError {
    const given = (typeof wire === "object" && wire !== null ? wire : {}) as Record<
      string,
      unknown
    >;
    return new RunroomError(
      typeof given.code === "string" ? given.code : "invalid",
      typeof given.message === "string" ? given.message : "the server refused without a reason",
      {
        ...(status === undefined ? {} : { status }),
        ...(typeof given.retryAfterMs === "number" ? { retryAfterMs: given.retryAfterMs } : {}),
        details: given.details,
      },
    );
  }
}

const TRANSIENT: ReadonlySet<string> = new Set([
  "unavailable",
  "rate_limited",
  "unreachable",
  "offline",
  "timeout",
]);

/** A plain code and message of anything thrown. */
export function errorInfo(error: unknown): ErrorInfo {
  if (error instanceof RunroomError) return { code: error.code, message: error.message };
  return { code: "invalid", message: error instanceof Error ? error.message : String(error) };
}
