/** What DEBUG can change of the server's inner workings, for tests. */

/** The largest list node that Redis makes: elements above it get a node of their own. */
const PACKED_THRESHOLD = 2 ** 30;
/** Milliseconds. */
const REPLY_PEAK_RESET = 5000;

export class DebugSettings {
  /** QUICKLIST-PACKED-THRESHOLD: bytes from which an element of a list gets a node of its own. */
  packedThreshold = PACKED_THRESHOLD;
  /** REPLYBUFFER PEAK-RESET-TIME: milliseconds, -1 for never. */
  replyPeakReset = REPLY_PEAK_RESET;
  /** REPLYBUFFER RESIZING. */
  replyResizing = true;
  /** AOF-FLUSH-SLEEP: microseconds to wait before the AOF is written. */
  aofFlushSleep = 0;

  /** Sets the packed threshold, 0 for the default; false if it is out of range. */
  setPackedThreshold(bytes: number): boolean {
    if (bytes > 2 ** 32 - 2 ** 20) return false;
    this.packedThreshold = bytes === 0 ? PACKED_THRESHOLD : bytes;
    return true;
  }

  resetReplyPeakTime(): void {
    this.replyPeakReset = REPLY_PEAK_RESET;
  }
}
