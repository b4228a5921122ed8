/** Messages to the kernel that answer nothing (`enum fuse_notify_code` in linux/fuse.h). */
const NOTIFY_INVAL_INODE = 2;
const BYTES = 16 + 24;
const TWO_32 = 0x1_0000_0000;

/** Forget the attributes of that node, keep its data. */
export function encodeForgetAttributes(nodeId: number): Uint8Array {
  const message = new Uint8Array(BYTES);
  const view = new DataView(message.buffer);
  view.setUint32(0, BYTES, true);
  view.setInt32(4, NOTIFY_INVAL_INODE, true);
  view.setUint32(16, nodeId % TWO_32, true);
  view.setUint32(20, Math.floor(nodeId / TWO_32), true);
  // A negative offset means: no data.
  view.setBigInt64(24, -1n, true);
  return message;
}
