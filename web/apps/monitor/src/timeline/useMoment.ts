import { onScopeDispose, type Ref, ref, watchEffect } from "vue";
import type { ExecutionModel } from "../execution/model";

const TICK_MS = 200;

/**
 * Where a running bar has come to, epoch ms by the server's clock. It stands still when the
 * execution has ended, in a replay, and while no news comes.
 */
export function useMoment(model: ExecutionModel): Readonly<Ref<number>> {
  const now = ref(0);
  let timer: ReturnType<typeof setInterval> | undefined;

  const tick = (): void => {
    if (!document.hidden) now.value = Date.now() + model.clockOffset.value;
  };

  watchEffect(() => {
    clearInterval(timer);
    const cut = model.cut.value;
    now.value = (cut ?? Date.now()) + model.clockOffset.value;
    const status = model.snapshot.value.state?.status;
    if (status === "running" && cut === null) timer = setInterval(tick, TICK_MS);
  });
  onScopeDispose(() => clearInterval(timer));
  return now;
}
