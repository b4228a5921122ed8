/**
 * Makes a list smaller while it keeps a property: drops halves, then quarters, down to single
 * entries, again and again until nothing can be dropped (delta debugging, Zeller 1999).
 */
export function shrinkList<T>(
  list: readonly T[],
  keeps: (list: readonly T[]) => boolean,
  triesMax: number,
): readonly T[] {
  let small = list;
  let tries = 0;
  for (let size = Math.ceil(small.length / 2); size >= 1 && tries < triesMax;) {
    let dropped = false;
    for (let at = 0; at < small.length && tries < triesMax;) {
      const fewer = [...small.slice(0, at), ...small.slice(at + size)];
      tries += 1;
      if (keeps(fewer)) {
        small = fewer;
        dropped = true;
      } else at += size;
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!dropped) break;
  }
  return small;
}
