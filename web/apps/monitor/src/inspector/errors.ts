export interface ErrorParts {
  /** What went wrong, in a line or two. */
  readonly says: string;
  /** The whole text, if there is more; else empty. */
  readonly stack: string;
  /** How many lines `says` leaves out. */
  readonly lines: number;
}

const TRACEBACK = /^Traceback \(most recent call last\):/;
const LONG = 400;

/** Python says it in the last line, everybody else in the first. */
export function splitError(error: string): ErrorParts {
  const text = error.trim();
  const lines = text.split(/\r?\n/);
  const last = TRACEBACK.test(text) ? lines.findLastIndex((line) => /^\S/.test(line)) : 0;
  const line = lines[last] ?? "";
  const says = line.length > LONG ? `${line.slice(0, LONG)}…` : line;
  if (lines.length === 1 && says === line) return { says, stack: "", lines: 0 };
  return { says, stack: text, lines: Math.max(1, lines.length - 1) };
}
