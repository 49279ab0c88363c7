/** Which parts of the inspector are folded, for as long as the page lives. */
const folded = new Set<string>();

export function isFolded(name: string): boolean {
  return folded.has(name);
}

export function setFolded(name: string, is: boolean): void {
  if (is) folded.add(name);
  else folded.delete(name);
}
