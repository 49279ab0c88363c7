import type { ReactNode } from "react";
import type { VisualStatus } from "../status";

export type NodeKind = "trigger" | "agent" | "tool" | "output";

function Icon({ className = "rr-icon", children }: { className?: string; children: ReactNode }) {
  return (
    <svg
      className={className}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

const KINDS: Record<NodeKind, ReactNode> = {
  trigger: <path d="M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z" />,
  agent: (
    <>
      <rect x="2.5" y="5" width="11" height="8.5" rx="2" />
      <path d="M8 5V2.5M6 9v1M10 9v1" />
    </>
  ),
  tool: (
    <path d="M10.5 2a3.5 3.5 0 0 0-3.2 4.9L2 12.2 3.8 14l5.3-5.3A3.5 3.5 0 0 0 13.8 4L11.5 6 10 4.5z" />
  ),
  output: <path d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" />,
};

export function KindIcon({ kind }: { kind: NodeKind | null | undefined }) {
  return <Icon>{kind ? KINDS[kind] : <circle cx="8" cy="8" r="5" />}</Icon>;
}

const STATUSES: Record<VisualStatus, ReactNode> = {
  idle: <circle cx="8" cy="8" r="5" strokeDasharray="2 3" />,
  pending: <path d="M8 4.5V8l2.5 1.5M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z" />,
  running: <path d="M8 2.5A5.5 5.5 0 1 1 2.5 8" />,
  success: <path d="m3 8.5 3.5 3.5L13 4.5" />,
  error: <path d="m4 4 8 8M12 4l-8 8" />,
  skipped: <path d="m3 4 5 4-5 4zM9 4l5 4-5 4z" />,
};

export function StatusIcon({ status }: { status: VisualStatus }) {
  return (
    <Icon className={status === "running" ? "rr-icon rr-spin" : "rr-icon"}>{STATUSES[status]}</Icon>
  );
}
