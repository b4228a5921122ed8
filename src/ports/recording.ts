/** A recording of decisions as it lies on a disk. */
export interface RecordingText {
  /** For messages. */
  readonly name: string;
  /** May be gone through again. Without their ends; a last line that was torn off is not among them. */
  readonly lines: AsyncIterable<string>;
}
