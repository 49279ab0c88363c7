import type { Runroom } from "@runroom/core";
import { ExecutionLogViewer, RealtimeExecutionVisualizer } from "@runroom/react";
import { useState } from "react";

export function App({ client }: { client: Runroom }) {
  const [executionId, setExecutionId] = useState<string | null>(null);

  async function start() {
    const { id } = await client.execute({ workflowId: "wf_1", input: { topic: "tea" } });
    setExecutionId(id);
  }

  return (
    <main>
      <button type="button" onClick={start}>
        Start
      </button>
      {executionId && (
        <>
          <RealtimeExecutionVisualizer
            executionId={executionId}
            onNodeUpdate={(nodeId, status) => console.log(`${nodeId}: ${status}`)}
          />
          <ExecutionLogViewer executionId={executionId} />
        </>
      )}
    </main>
  );
}
