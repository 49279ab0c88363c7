import { Simulator, type Workflow } from "@runroom/core";
import { mount, type VueWrapper } from "@vue/test-utils";
import { type App, type Component, defineComponent, h } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { type Client, provideClient } from "../../src/client";
import { provideActions } from "../../src/execution/actions";
import { createModel, type ExecutionModel, provideModel } from "../../src/execution/model";
import { provideViewState, type View } from "../../src/execution/view";

export interface Shown {
  readonly wrapper: VueWrapper;
  readonly view: View;
  readonly model: ExecutionModel;
  /** Unmounts it and stops the simulator. */
  close(): void;
}

/** A view of a simulated execution, as the frame would hold it, once `until` holds. */
export async function show(
  component: Component,
  workflow: Workflow,
  until: (model: ExecutionModel) => boolean,
  { address = "/", runroom = {} }: { address?: string; runroom?: object } = {},
): Promise<Shown> {
  const simulator = new Simulator({ seed: 5, failureRate: 0, speed: 200 });
  const executionId = simulator.start({ workflow, input: { topic: "ships" } });
  let view: View | undefined;
  let model: ExecutionModel | undefined;
  const Frame = defineComponent(() => {
    view = provideViewState();
    model = createModel(simulator, executionId, view);
    provideModel(model);
    provideActions(model);
    return () => h(component);
  });
  const routes = [{ path: "/", component: Frame }];
  const router = createRouter({ history: createMemoryHistory(), routes });
  await router.push(address);
  const client = { install: (app: App) => provideClient(app, { runroom } as unknown as Client) };
  const wrapper = mount(Frame, { attachTo: document.body, global: { plugins: [router, client] } });
  while (!until(model!)) await new Promise((resolve) => setTimeout(resolve, 5));
  await wrapper.vm.$nextTick();
  const close = () => {
    wrapper.unmount();
    simulator.close();
  };
  return { wrapper, view: view!, model: model!, close };
}
