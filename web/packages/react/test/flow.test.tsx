import { Handle, type Node, ReactFlow, useNodesState } from "@xyflow/react";
import { expect, it } from "vitest";
import { createNodeTypes, useWorkflowExecution } from "../src";
import { mount } from "./support";

const nodeTypes = createNodeTypes(Handle);

const NODES: Node[] = (["trigger", "agent", "tool", "output"] as const).map((kind, n) => ({
  id: kind,
  type: kind,
  position: { x: n * 220, y: 0 },
  data: { label: `A ${kind}`, status: n === 0 ? "completed" : "running", message: "busy" },
}));

function Flow() {
  const [nodes, setNodes] = useNodesState(NODES);
  useWorkflowExecution(null, nodes, setNodes);
  return (
    <div style={{ width: 800, height: 400 }}>
      <ReactFlow nodes={nodes} nodeTypes={nodeTypes} />
    </div>
  );
}

it("draws React Flow's nodes, with the handles that their kinds need", () => {
  const { root } = mount(<Flow />);
  const handles = NODES.map(({ id }) => {
    const element = root.querySelector(`[data-testid=node-${id}]`)!;
    expect(element.textContent).toContain(`A ${id}`);
    return [...element.querySelectorAll(".react-flow__handle")].map((handle) =>
      ["source", "target"].find((type) => handle.classList.contains(type)),
    );
  });
  expect(handles).toEqual([["source"], ["target", "source"], ["target", "source"], ["target"]]);
});
