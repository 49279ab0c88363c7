import Anser from "anser";

/** A stretch of a message that looks the same. It is shown as a text node, never as markup. */
export interface Piece {
  readonly text: string;
  /** Class names. */
  readonly look: string;
  /** Colours that have no name: `rgb(…)`. */
  readonly color: string | null;
  readonly ground: string | null;
  readonly mark: boolean;
}

export interface Shown {
  /** Of what is searched for; "" for nothing. */
  readonly needle: string;
  /** Characters; what is beyond is cut off. */
  readonly most: number;
  /** Line breaks break lines; else they are a sign. */
  readonly breaks: boolean;
}

type Run = Omit<Piece, "mark">;

const ESCAPE = "\u001b";
// operating system commands (titles, links) and character sets: nothing that is to be seen
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /\u001b(?:\][^\u0007\u001b]{0,2048}(?:\u0007|\u001b\\)|[()][A-Z0-9])/g;
// what moves other text, hides it or has no shape; tabs and what emoji and scripts are joined with stay
const UNSAFE =
  /(?!\t|\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const NAMED = /^ansi-(?:bright-)?(?:black|red|green|yellow|blue|magenta|cyan|white)$/;
const DECORATIONS = new Set(["bold", "dim", "italic", "underline", "strikethrough"]);

/** A message in pieces: its colours, what is searched for, and signs for what cannot be seen. */
export function piecesOf(message: string, { needle, most, breaks }: Shown): Piece[] {
  const runs = runsOf(cut(message.trimEnd(), most));
  const marks = needle === "" ? [] : hitsIn(runs.map((run) => run.text).join(""), needle);
  const pieces: Piece[] = [];
  let at = 0;
  for (const run of runs) {
    for (const part of split(run.text, at, marks)) {
      for (const [text, sign] of signed(part.text, breaks)) {
        const look = sign ? `${run.look} sign`.trim() : run.look;
        pieces.push({ ...run, text, look, mark: part.mark });
      }
    }
    at += run.text.length;
  }
  return pieces;
}

/** The message without colours, safe to paste: line breaks and tabs stay, other controls are signs. */
export function plainText(message: string): string {
  const text = runsOf(message.trimEnd())
    .map((run) => run.text)
    .join("");
  return [...signed(text, true)].map(([part]) => part).join("");
}

/** Where a text occurs in another, in any case: `[from, to)`, in order, none in another. */
export function hitsIn(text: string, needle: string): [number, number][] {
  const pattern = needle.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const found = text.matchAll(new RegExp(pattern, "giu"));
  return [...found].map((hit) => [hit.index, hit.index + hit[0].length]);
}

function cut(message: string, most: number): string {
  if (message.length <= most) return message;
  // not between the halves of a character
  const half = /[\ud800-\udbff]/.test(message[most - 1]!);
  return `${message.slice(0, half ? most - 1 : most)}…`;
}

function runsOf(text: string): Run[] {
  if (!text.includes(ESCAPE)) return [{ text, look: "", color: null, ground: null }];
  const seen = text.replace(UNSEEN, "");
  const entries = Anser.ansiToJson(seen, { json: true, remove_empty: true, use_classes: true });
  return entries.map(({ content, fg, bg, fg_truecolor, bg_truecolor, decorations }) => {
    const color = colorOf(fg, fg_truecolor);
    const ground = colorOf(bg, bg_truecolor);
    const looks = [
      ...decorations.filter((each) => DECORATIONS.has(each)),
      ...(NAMED.test(fg) ? [fg] : []),
      ...(NAMED.test(bg) ? [`ground ${bg}-ground`] : []),
      ...(color !== null ? ["colored"] : []),
      ...(ground !== null ? ["ground"] : []),
    ];
    return { text: content, look: [...new Set(looks)].join(" "), color, ground };
  });
}

/** The colour of a class that has no name in our style sheet. */
function colorOf(name: string | null, truecolor: string | null): string | null {
  if (name === "ansi-truecolor" && /^[\d, ]+$/.test(truecolor ?? "")) return `rgb(${truecolor})`;
  const number = Number(/^ansi-palette-(\d+)$/.exec(name ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(number) || number > 255) return null;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const cube = number - 16;
  if (cube < 0) return null;
  const channel = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const [red, green, blue] = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6];
  return `rgb(${channel(red!)}, ${channel(green!)}, ${channel(blue!)})`;
}

/** A run that begins at `start` of the whole, by what is marked and what is not. */
function* split(
  text: string,
  start: number,
  marks: readonly [number, number][],
): Generator<{ text: string; mark: boolean }> {
  let at = 0;
  for (const [from, to] of marks) {
    const first = Math.max(at, from - start);
    const end = Math.min(text.length, to - start);
    if (first >= end) continue;
    if (first > at) yield { text: text.slice(at, first), mark: false };
    yield { text: text.slice(first, end), mark: true };
    at = end;
  }
  if (at < text.length) yield { text: text.slice(at), mark: false };
}

/** Text and signs in turn. */
function* signed(text: string, breaks: boolean): Generator<[string, boolean]> {
  let at = 0;
  for (const hit of text.matchAll(UNSAFE)) {
    const character = hit[0];
    if (breaks && character === "\n") continue;
    if (hit.index > at) yield [text.slice(at, hit.index), false];
    yield [signOf(character), true];
    at = hit.index + character.length;
  }
  if (at < text.length) yield [text.slice(at), false];
}

function signOf(character: string): string {
  const code = character.codePointAt(0)!;
  if (character === "\n") return "↵";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
