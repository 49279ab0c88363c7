/** Text as UTF-8 in chunks, outside the garbage collector's way. The oldest goes first. */
const CHUNK = 256 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Arena {
  readonly #chunks = new Map<number, Uint8Array>();
  /** Where the next text goes, counted from the beginning of time. */
  #end = 0;
  #oldest = 0;
  #spare: Uint8Array | undefined;

  /** What is held, in bytes. */
  bytes = 0;

  /**
   * @returns the position and the length in bytes, to read it with. A text never lies across two
   *   chunks; one that is longer than a chunk has one of its own.
   */
  write(text: string): { position: number; length: number } {
    const most = text.length * 3;
    let room = CHUNK - (this.#end % CHUNK);
    let encoded: Uint8Array | undefined;
    let needed = most;
    if (most > room) {
      encoded = encoder.encode(text);
      needed = encoded.length;
    }
    if (needed > room) {
      this.#end += room;
      room = CHUNK;
    }
    const position = this.#end;
    const offset = position % CHUNK;
    const chunk = this.#chunk(Math.floor(position / CHUNK), offset + needed);
    let length = needed;
    if (encoded !== undefined) chunk.set(encoded, offset);
    else length = encoder.encodeInto(text, chunk.subarray(offset)).written;
    // after a long text the next chunk begins
    this.#end = length > room ? position + Math.ceil(length / CHUNK) * CHUNK : position + length;
    return { position, length };
  }

  read(position: number, length: number): string {
    const chunk = this.#chunks.get(Math.floor(position / CHUNK));
    if (chunk === undefined) return "";
    const offset = position % CHUNK;
    return decoder.decode(chunk.subarray(offset, offset + length));
  }

  /**
   * Whether a text has these ASCII bytes in it, in any case, without making a string of it. The
   * needle is in lower case. Undefined: not, but it has other letters, whose lower case may be ASCII.
   */
  includes(position: number, length: number, needle: Uint8Array): boolean | undefined {
    const chunk = this.#chunks.get(Math.floor(position / CHUNK));
    if (chunk === undefined) return false;
    const start = position % CHUNK;
    const end = start + length;
    const first = needle[0]!;
    let ascii = true;
    for (let at = start; at < end; at += 1) {
      const byte = chunk[at]!;
      if (byte >= 0x80) ascii = false;
      else if (lower(byte) === first && at + needle.length <= end) {
        let more = 1;
        while (more < needle.length && lower(chunk[at + more]!) === needle[more]) more += 1;
        if (more === needle.length) return true;
      }
    }
    return ascii ? false : undefined;
  }

  /** Nothing before this position is needed any more. */
  dropBefore(position: number): void {
    const first = Math.floor(position / CHUNK);
    for (; this.#oldest < first; this.#oldest += 1) {
      const chunk = this.#chunks.get(this.#oldest);
      if (chunk === undefined) continue;
      this.#chunks.delete(this.#oldest);
      this.bytes -= chunk.length;
      if (chunk.length === CHUNK) this.#spare = chunk;
    }
  }

  clear(): void {
    this.#chunks.clear();
    this.#end = this.#oldest = this.bytes = 0;
    this.#spare = undefined;
  }

  /** Where the next text will lie at the earliest. */
  get end(): number {
    return this.#end;
  }

  #chunk(number: number, size: number): Uint8Array {
    const known = this.#chunks.get(number);
    if (known !== undefined) return known;
    let made = size <= CHUNK ? this.#spare : undefined;
    if (made !== undefined) this.#spare = undefined;
    made ??= new Uint8Array(Math.max(size, CHUNK));
    this.#chunks.set(number, made);
    this.bytes += made.length;
    return made;
  }
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
