const HIDDEN = /[\p{Cc}\p{Bidi_Control}]/gu;

/** A text whose control characters can be seen: one that turns the reading direction hides things. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (found) =>
    found === "\n" || found === "\t"
      ? found
      : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
