/** Durations, sizes and progress for people. */

const BAR_CELLS = 20;

/** `12 s`, `5 min`, `2 h 3 min`, `4 d 1 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** `512 B`, `1.5 KiB`, `20 GiB`. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${figure(value, unit === 'B')} ${unit}`;
    value /= 1024;
  }
  return `${figure(value, false)} TiB`;
}

/** A bar with its percentage; an empty total is complete. */
export function progress(done: number, total: number): string {
  const part = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const full = Math.floor(part * BAR_CELLS);
  // 100 % is said only when nothing is left.
  const percent = Math.floor(part * 100);
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)} ${percent} %`;
}

function figure(value: number, whole: boolean): string {
  return whole || value >= 100 ? String(Math.floor(value)) : value.toFixed(1);
}
