import { useMemo, useRef } from "react";
import type { ExecutionLog } from "../entries";
import { useWebSocketLogs } from "../useWebSocketLogs";
import { useWindow } from "../useWindow";
import { ConnectionIndicator } from "./ConnectionIndicator";

/** As `.rr-log-row` has it. */
const ROW_HEIGHT = 22;

export interface ExecutionLogViewerProps {
  executionId: string;
  /** Entries that the caller has already; those that the stream has too are shown once. */
  logs?: readonly ExecutionLog[] | undefined;
  backendUrl?: string | undefined;
}

/** An execution's log, live, following the newest line. */
export function ExecutionLogViewer({ executionId, logs, backendUrl }: ExecutionLogViewerProps) {
  const live = useWebSocketLogs(executionId, backendUrl === undefined ? {} : { backendUrl });
  const entries = useMemo(() => merged(logs, live.logs), [logs, live.logs]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useWindow(box, entries.length, ROW_HEIGHT);
  return (
    <section className="rr-logs" aria-label="Logs">
      <header className="rr-head">
        <strong className="rr-title">Logs ({entries.length.toLocaleString()})</strong>
        {rows.follows ? null : (
          <button type="button" className="rr-button" onClick={rows.toEnd}>
            Newest
          </button>
        )}
        <ConnectionIndicator backendUrl={backendUrl} />
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolled by keyboard */}
      <div ref={box} className="rr-log-box" role="log" tabIndex={0} onScroll={rows.onScroll}>
        {entries.length === 0 ? (
          <p className="rr-empty">No lines yet</p>
        ) : (
          <div style={{ height: entries.length * ROW_HEIGHT }}>
            <div style={{ transform: `translateY(${rows.first * ROW_HEIGHT}px)` }}>
              {entries.slice(rows.first, rows.last).map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </div>
          </div>
        )}
      </div>
    </section>
  );
}

function Row({
  entry: { level, timestamp, step_name, message, error_message },
}: {
  entry: ExecutionLog;
}) {
  const text = message ?? error_message ?? "";
  return (
    <div className={`rr-log-row rr-log-${level}`} data-testid="log-row">
      <time dateTime={timestamp}>{timestamp.slice(11, 23)}</time>
      <span className="rr-log-level">{level}</span>
      <span className="rr-log-step">{step_name}</span>
      <span title={text}>{text}</span>
    </div>
  );
}

/** What was known before, then what the stream has; each entry once. */
function merged(
  known: readonly ExecutionLog[] | undefined,
  live: readonly ExecutionLog[],
): readonly ExecutionLog[] {
  if (known === undefined || known.length === 0) return live;
  const ids = new Set(live.map(({ id }) => id));
  const older = known.filter(({ id }) => {
    const fresh = !ids.has(id);
    ids.add(id);
    return fresh;
  });
  return [...older, ...live];
}
