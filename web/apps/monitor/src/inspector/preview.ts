import type { Preview } from "@runroom/core";

const MEMBERS = ["$preview", "$ref", "$size"];
const ADDRESS = /^\/api\/executions\/[^/?#\\]+\/(?:nodes\/[^/?#\\]+\/output|result|input)$/;

/**
 * The value as a preview, if it is one. A node's own output may look like it, so the address has
 * to be one of those that hold a value: the token is sent along with the request.
 */
export function previewOf(value: unknown): Preview | null {
  if (typeof value !== "object" || value === null) return null;
  if (Object.keys(value).sort().join() !== MEMBERS.join()) return null;
  const { $preview, $size, $ref } = value as Record<keyof Preview, unknown>;
  if (typeof $preview !== "string" || typeof $size !== "number" || typeof $ref !== "string") {
    return null;
  }
  if (!ADDRESS.test($ref) || $ref.split("/").some((part) => /^(?:\.|%2e)+$/i.test(part)))
    return null;
  return { $preview, $size, $ref };
}
