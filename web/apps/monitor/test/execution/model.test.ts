import { Simulator } from "@runroom/core";
import { mount } from "@vue/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defineComponent, h, nextTick, reactive } from "vue";
import { createModel, type ExecutionModel } from "../../src/execution/model";
import { readView, type View, type ViewState } from "../../src/execution/view";

let simulator: Simulator;
let model: ExecutionModel;
let view: View;
let unmount: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  simulator = new Simulator({ seed: 1, failureRate: 0 });
  const state = reactive(readView({})) as ViewState;
  view = { state, set: (patch) => void Object.assign(state, patch), href: () => "" };
  const executionId = simulator.start();
  const host = mount(
    defineComponent({
      setup() {
        model = createModel(simulator, executionId, view);
        return () => h("p");
      },
    }),
  );
  unmount = () => host.unmount();
});
afterEach(() => {
  simulator.close();
  vi.useRealTimers();
});

async function toTheEnd(): Promise<void> {
  while (model.snapshot.value.phase !== "ended") await vi.advanceTimersByTimeAsync(1_000);
}

test("live, it shows what the store has", async () => {
  await toTheEnd();
  expect(model.state.value).toBe(model.snapshot.value.state);
  expect(model.state.value?.status).toBe("completed");
  expect([model.seq.value, model.time.value, model.cut.value]).toEqual([null, null, null]);
});

test("listeners hear which nodes changed, until they stop", async () => {
  const heard = new Set<string>();
  const stop = model.onChange((nodes) => nodes.forEach((id) => void heard.add(id)));
  await toTheEnd();
  expect(heard).toEqual(new Set(Object.keys(model.state.value?.nodes ?? {})));
  heard.clear();
  stop();
  model.startReplay();
  await vi.advanceTimersByTimeAsync(100);
  expect(heard.size).toBe(0);
});

test("a replay shows the moment that the address names, and back to live the present", async () => {
  await toTheEnd();
  const all = vi.fn();
  model.onChange(all);
  view.set({ seq: 1 });
  await nextTick();
  expect(model.seq.value, "logs are cut at once").toBe(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(model.state.value?.status).toBe("running");
  expect(model.state.value?.seq).toBe(1);
  expect(model.time.value).not.toBeNull();
  expect(model.timeline.value).toBe(model.replay.value?.timeline);
  expect(all.mock.lastCall?.[0].size).toBe(Object.keys(model.state.value?.nodes ?? {}).length);

  model.replay.value?.seek(5);
  await vi.advanceTimersByTimeAsync(100);
  expect(model.state.value?.seq).toBe(5);
  expect(view.state.seq, "the address follows at a pause").toBe(5);

  model.stopReplay();
  await nextTick();
  expect(model.replay.value).toBeNull();
  expect(model.state.value?.status).toBe("completed");
});

test("a replay that plays leaves the address alone until it stands", async () => {
  await toTheEnd();
  model.startReplay(1);
  await vi.advanceTimersByTimeAsync(100);
  model.replay.value?.play(16);
  await vi.advanceTimersByTimeAsync(200);
  expect(model.seq.value).toBeGreaterThan(1);
  expect(view.state.seq).toBe(1);
  model.replay.value?.pause();
  await vi.advanceTimersByTimeAsync(50);
  expect(view.state.seq).toBe(model.seq.value);
});

test("when its page is left, nothing goes on", async () => {
  model.startReplay(1);
  await vi.advanceTimersByTimeAsync(100);
  const { replay } = model;
  unmount();
  expect(replay.value).toBeNull();
});
