import { onScopeDispose, shallowReactive } from "vue";

/** One shortcut: `j`, `?`, `Escape`, `Enter`, `Shift+ArrowLeft`, or two keys in a row: `g e`. */
export interface Shortcut {
  readonly keys: string;
  /** What it does, for the help. */
  readonly label: string;
  readonly run: (event: KeyboardEvent) => void;
  /** Only while this holds; else the key is left to the browser. */
  readonly when?: () => boolean;
  /** Also while somebody types. */
  readonly inFields?: boolean;
}

export interface Group {
  readonly name: string;
  readonly shortcuts: readonly Shortcut[];
}

const SEQUENCE_MS = 1_000;
const groups = shallowReactive<Group[]>([]);

/** Every group that is registered now, the latest last. */
export function shortcutGroups(): readonly Group[] {
  return groups;
}

/** Register shortcuts for as long as the caller's scope lives. The latest wins. */
export function useShortcuts(name: string, shortcuts: readonly Shortcut[]): void {
  const group: Group = { name, shortcuts };
  groups.push(group);
  onScopeDispose(() => {
    const at = groups.indexOf(group);
    if (at >= 0) groups.splice(at, 1);
  });
}

/** Listen on the whole page; returns the undo. */
export function startKeyboard(target: EventTarget = window): () => void {
  let first = "";
  let firstAt = 0;

  const pressed = (given: Event): void => {
    const event = given as KeyboardEvent;
    if (event.defaultPrevented || event.isComposing) return;
    const key = nameOf(event);
    if (key === null) return;
    const typing = isField(event.target);
    const sequence = performance.now() - firstAt < SEQUENCE_MS ? `${first} ${key}` : "";
    first = "";
    const found = (sequence && find(sequence, typing)) || find(key, typing);
    if (found) {
      event.preventDefault();
      found.run(event);
    }
    // also a key that does something by itself may begin a sequence
    if (found?.keys !== sequence && !typing && begins(key)) {
      first = key;
      firstAt = performance.now();
    }
  };
  target.addEventListener("keydown", pressed);
  return () => target.removeEventListener("keydown", pressed);
}

function find(keys: string, typing: boolean): Shortcut | undefined {
  // a modal dialog has the page under it: only its own keys count, and those the browser handles
  const open = document.querySelector("dialog[open]") !== null;
  for (const group of groups.toReversed()) {
    for (const shortcut of group.shortcuts) {
      if (shortcut.keys !== keys || (typing && !shortcut.inFields)) continue;
      if (open && group.name !== "Dialog") continue;
      if (shortcut.when?.() ?? true) return shortcut;
    }
  }
  return undefined;
}

function begins(key: string): boolean {
  return groups.some((group) => group.shortcuts.some(({ keys }) => keys.startsWith(`${key} `)));
}

/** As shortcuts name it; null for a modifier alone and for what belongs to the browser. */
function nameOf(event: KeyboardEvent): string | null {
  const { key } = event;
  if (key === undefined || ["Shift", "Control", "Alt", "Meta"].includes(key)) return null;
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const shown = key === " " ? "Space" : key;
  // a shifted character is another character already
  return event.shiftKey && shown.length > 1 ? `Shift+${shown}` : shown;
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  if (!(target instanceof HTMLInputElement)) return false;
  return !["checkbox", "radio", "button", "range"].includes(target.type);
}
