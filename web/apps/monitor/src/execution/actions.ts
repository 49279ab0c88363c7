import { isTerminal } from "@runroom/core";
import { type ComputedRef, computed, type InjectionKey, inject, provide, type Ref, ref } from "vue";
import { useRouter } from "vue-router";
import { useRunroom } from "../client";
import { toastError } from "../shell/toasts";
import { save } from "./download";
import type { ExecutionModel } from "./model";

/** What can be done with the execution that is shown. */
export interface Actions {
  readonly canCancel: ComputedRef<boolean>;
  readonly canRetry: ComputedRef<boolean>;
  /** One of them is under way. */
  readonly busy: Readonly<Ref<boolean>>;
  cancel(): Promise<void>;
  /** Runs it again, all of it or from a node on, and goes there. */
  retry(fromNode?: string): Promise<void>;
  /** The whole log as a text file. */
  download(): Promise<void>;
}

const ACTIONS: InjectionKey<Actions> = Symbol("actions");

export function provideActions(model: ExecutionModel): Actions {
  const runroom = useRunroom();
  const router = useRouter();
  const busy = ref(false);
  const cancelled = ref(false);
  const status = computed(() => model.snapshot.value.state?.status ?? null);
  const ended = computed(() => status.value !== null && isTerminal(status.value));

  async function attempt(what: string, work: () => Promise<void>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    try {
      await work();
    } catch (error) {
      toastError(`${what}: that did not work`, error);
    } finally {
      busy.value = false;
    }
  }

  const actions: Actions = {
    canCancel: computed(() => status.value !== null && !ended.value && !cancelled.value),
    canRetry: computed(() => ended.value),
    busy,
    cancel: () =>
      attempt("Cancel", async () => {
        await runroom.cancel(model.executionId);
        cancelled.value = true;
      }),
    retry: (fromNode) =>
      attempt("Retry", async () => {
        const options = fromNode === undefined ? {} : { fromNode };
        const { executionId } = await runroom.api.executions.retry(model.executionId, options);
        await router.push({ name: "execution", params: { id: executionId } });
      }),
    download: () =>
      attempt("Download", async () => {
        save(await runroom.api.executions.download(model.executionId), `${model.executionId}.log`);
      }),
  };
  provide(ACTIONS, actions);
  return actions;
}

export function useActions(): Actions {
  const actions = inject(ACTIONS);
  if (actions === undefined) throw new Error("no actions were provided");
  return actions;
}
