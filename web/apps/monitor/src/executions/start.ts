import type { Runroom } from "@runroom/core";
import { type Ref, ref } from "vue";
import { useRouter } from "vue-router";
import { useRunroom } from "../client";
import { toastError } from "../shell/toasts";

/** What to execute: a workflow that the server has, or an example by its file's name. */
export type Startable =
  | { readonly kind: "workflow"; readonly id: string }
  | { readonly kind: "example"; readonly id: string };

export interface StartOptions {
  readonly input?: unknown;
  readonly priority?: number;
}

/** Start one and say its id. @throws RunroomError */
export async function start(
  runroom: Runroom,
  what: Startable,
  options: StartOptions = {},
): Promise<string> {
  const workflowId = what.kind === "workflow" ? what.id : await exampleWorkflow(runroom, what.id);
  const { executionId } = await runroom.execute({ workflowId, ...options });
  return executionId;
}

async function exampleWorkflow(runroom: Runroom, id: string): Promise<string> {
  const { EXAMPLES, storedExample } = await import("./examples");
  const example = EXAMPLES.find((each) => each.id === id);
  if (!example) throw new Error(`there is no example ${id}`);
  return (await storedExample(runroom, example)).id;
}

/** Start one and go there; `starting` is what is under way. */
export function useStart(): {
  starting: Ref<string | null>;
  startAndShow: (what: Startable, options?: StartOptions) => Promise<boolean>;
} {
  const runroom = useRunroom();
  const router = useRouter();
  const starting = ref<string | null>(null);

  async function startAndShow(what: Startable, options: StartOptions = {}): Promise<boolean> {
    if (starting.value !== null) return false;
    starting.value = what.id;
    try {
      const id = await start(runroom, what, options);
      await router.push({ name: "execution", params: { id } });
      return true;
    } catch (error) {
      toastError("It could not be started", error);
      return false;
    } finally {
      starting.value = null;
    }
  }
  return { starting, startAndShow };
}

/** The JSON that somebody typed: its value, or what is wrong with it. Nothing is no input. */
export function parseInput(
  text: string,
): { ok: true; value: unknown } | { ok: false; error: string } {
  if (!text.trim()) return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, error: `Not JSON: ${error instanceof Error ? error.message : error}` };
  }
}
