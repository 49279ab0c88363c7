/** Numbers of many rows, a typed array for each, that grow until they go round. */
export class Columns {
  seq = new Float64Array(0);
  time = new Float64Array(0);
  level = new Uint8Array(0);
  /** The number of the node's id; 0: none. */
  node = new Uint32Array(0);
  /** Where the texts lie: message, metadata and id, one after the other. */
  position = new Float64Array(0);
  message = new Uint32Array(0);
  metadata = new Uint32Array(0);
  id = new Uint16Array(0);
  size = 0;

  /** Room for more rows; those from `first` to `end` keep their numbers. */
  grow(size: number, first: number, end: number): void {
    const old = this.size;
    const moved = <A extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(
      from: A,
      to: A,
    ): A => {
      for (let row = first; row < end; row += 1) to[row % size] = from[row % old]!;
      return to;
    };
    this.seq = moved(this.seq, new Float64Array(size));
    this.time = moved(this.time, new Float64Array(size));
    this.level = moved(this.level, new Uint8Array(size));
    this.node = moved(this.node, new Uint32Array(size));
    this.position = moved(this.position, new Float64Array(size));
    this.message = moved(this.message, new Uint32Array(size));
    this.metadata = moved(this.metadata, new Uint32Array(size));
    this.id = moved(this.id, new Uint16Array(size));
    this.size = size;
  }
}
