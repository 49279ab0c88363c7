import { describe, expect, test } from "vitest";
import { hitsIn, piecesOf, plainText } from "../../src/logs/text";

const SHOWN = { needle: "", most: 1_000, breaks: false };
const ESC = "\u001b";

function looks(message: string, more: Partial<typeof SHOWN> = {}): [string, string][] {
  return piecesOf(message, { ...SHOWN, ...more }).map(({ text, look }) => [text, look]);
}

describe("colours", () => {
  test("plain text is one piece", () => expect(looks("hello")).toEqual([["hello", ""]]));

  test("become class names", () => {
    expect(looks(`a ${ESC}[31mred${ESC}[0m ${ESC}[1;4;92mok${ESC}[22m on${ESC}[m.`)).toEqual([
      ["a ", ""],
      ["red", "ansi-red"],
      [" ", ""],
      ["ok", "bold underline ansi-bright-green"],
      [" on", "underline ansi-bright-green"],
      [".", ""],
    ]);
  });

  test("a ground is a tint of its own", () => {
    expect(looks(`${ESC}[97;41m!`)).toEqual([["!", "ansi-bright-white ground ansi-red-ground"]]);
  });

  test.each([
    ["38;2;10;20;30", "rgb(10, 20, 30)"],
    ["38;5;196", "rgb(255, 0, 0)"],
    ["38;5;244", "rgb(128, 128, 128)"],
    ["38;5;25", "rgb(0, 95, 175)"],
  ])("%s has no name and is kept as a colour", (code, color) => {
    const [piece] = piecesOf(`${ESC}[${code}mx`, SHOWN);
    expect(piece).toMatchObject({ text: "x", look: "colored", color, ground: null });
  });

  test("text that is to be hidden is shown, and does not blink", () => {
    expect(looks(`${ESC}[8;5mrm -rf${ESC}[0m`)).toEqual([["rm -rf", ""]]);
  });

  test.each([
    [`${ESC}]0;title\u0007shown`, "shown"],
    [`${ESC}]8;;https://evil.example${ESC}\\link${ESC}]8;;${ESC}\\`, "link"],
    [`${ESC}[2J${ESC}[1;1Hshown`, "shown"],
    [`${ESC}(Bshown`, "shown"],
  ])("what moves the cursor or names the window is not seen: %j", (message, text) => {
    expect(looks(message)).toEqual([[text, ""]]);
  });
});

describe("hostile text", () => {
  test("markup is text", () => {
    const message = `<img src=x onerror=alert(1)>&lt;b&gt;</span>`;
    expect(looks(message)).toEqual([[message, ""]]);
  });

  test.each([
    ["\u0000", "U+0000"],
    ["\u0007", "U+0007"],
    ["\u001b", "U+001B"],
    ["\u007f", "U+007F"],
    ["\u0085", "U+0085"],
    ["\u2028", "U+2028"],
    ["\u2029", "U+2029"],
    ["\u202e", "U+202E"],
    ["\u2066", "U+2066"],
    ["\u200b", "U+200B"],
    ["\ufeff", "U+FEFF"],
    ["\u3164", "U+3164"],
    ["\u{e0041}", "U+E0041"],
    ["\r", "U+000D"],
    ["\n", "↵"],
  ])("%j is a sign", (character, sign) => {
    expect(looks(`a${character}b`)).toEqual([
      ["a", ""],
      [sign, "sign"],
      ["b", ""],
    ]);
  });

  test.each(["a\tb", "👩‍💻", "❤️", "नमस्ते", "שלום", "می‌خواهم"])("%s stays as it is", (text) => {
    expect(looks(text)).toEqual([[text, ""]]);
  });

  test("a line break breaks where lines wrap, and one at the end is not worth a sign", () => {
    expect(looks("a\nb\r\n", { breaks: true })).toEqual([["a\nb", ""]]);
    expect(looks("a\n")).toEqual([["a", ""]]);
  });

  test("a long message is cut, not inside a character", () => {
    expect(looks("x".repeat(50), { most: 10 })).toEqual([[`${"x".repeat(10)}…`, ""]]);
    expect(looks("123456789😀", { most: 10 })).toEqual([["123456789…", ""]]);
  });

  test("what is copied has no colours and no controls, but its lines", () => {
    expect(plainText(`${ESC}[31mred${ESC}[0m\u202e\n\tnext\u0007`)).toBe("redU+202E\n\tnextU+0007");
  });
});

describe("what is searched for", () => {
  test("is marked in any case, and taken by its letters", () => {
    expect(hitsIn("Error: ERROR in error.ts", "error")).toEqual([
      [0, 5],
      [7, 12],
      [16, 21],
    ]);
    expect(hitsIn("a.b a+b (a*b) [a]", "a+b")).toEqual([[4, 7]]);
    expect(hitsIn("C:\\tmp", "\\t")).toEqual([[2, 4]]);
    expect(hitsIn("1-2/3", "-2/")).toEqual([[1, 4]]);
  });

  test("is marked through colours and signs", () => {
    const pieces = piecesOf(`con${ESC}[31mnec${ESC}[0mtion\u0007 lost`, {
      ...SHOWN,
      needle: "connection",
    });
    expect(pieces.map(({ text, look, mark }) => [text, look, mark])).toEqual([
      ["con", "", true],
      ["nec", "ansi-red", true],
      ["tion", "", true],
      ["U+0007", "sign", false],
      [" lost", "", false],
    ]);
  });
});
