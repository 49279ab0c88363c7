import { createNodeTypes, useWorkflowExecution } from "@runroom/react";
import { Handle, type Node, ReactFlow, useNodesState } from "@xyflow/react";
import "@xyflow/react/dist/style.css";

const nodeTypes = createNodeTypes(Handle);

export function Builder({
  executionId,
  workflow,
}: {
  executionId: string | null;
  workflow: Node[];
}) {
  const [nodes, setNodes, onNodesChange] = useNodesState(workflow);
  const { isConnected, lastMessage, error } = useWorkflowExecution(executionId, nodes, setNodes);
  return (
    <div style={{ height: 400 }}>
      <ReactFlow nodes={nodes} nodeTypes={nodeTypes} onNodesChange={onNodesChange} fitView />
      <p>{error ?? lastMessage?.message ?? (isConnected ? "connected" : "not connected")}</p>
    </div>
  );
}
