import { pathText } from "./tree";

export interface Expression {
  /** Where in the configuration it stands. */
  readonly path: string;
  /** JMESPath. */
  readonly expression: string;
}

const MOST = 50;

/** Every `{"$expr": …}` of a node's configuration, in order, the first fifty. */
export function expressionsOf(config: Readonly<Record<string, unknown>> | null): Expression[] {
  const found: Expression[] = [];
  const stack: { path: (string | number)[]; value: unknown }[] = [{ path: [], value: config }];
  for (let next = stack.pop(); next !== undefined && found.length < MOST; next = stack.pop()) {
    const { path, value } = next;
    if (typeof value !== "object" || value === null) continue;
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    const [first] = entries;
    if (entries.length === 1 && first?.[0] === "$expr" && typeof first[1] === "string") {
      found.push({ path: pathText(path), expression: first[1] });
      continue;
    }
    for (const [key, inner] of entries.reverse())
      stack.push({ path: [...path, key], value: inner });
  }
  return found;
}
