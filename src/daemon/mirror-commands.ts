/** Checks what comes over a mirror's socket; anything else ends that connection. */
import type { ToMirror } from '../protocol/mirror-ipc.ts';

export function isToMirror(value: unknown): value is ToMirror {
  if (typeof value !== 'object' || value === null) return false;
  const message = value as Record<string, unknown>;
  if (!Number.isSafeInteger(message['id'])) return false;
  switch (message['type']) {
    case 'serve':
      return isEpoch(message['epoch']) && areNames(message['inSync']);
    case 'follow':
      return (
        isEpoch(message['epoch']) &&
        isName(message['primary']) &&
        (message['keepBefore'] === undefined || isEpoch(message['keepBefore']))
      );
    case 'seal':
      return isEpoch(message['epoch']);
    case 'expel':
    case 'admit':
      return isName(message['peer']);
    case 'verify':
      return isRate(message['bytesPerSecond']);
    case 'peers':
      return areNames(message['up']);
    case 'unseal':
    case 'drain':
    case 'abort':
    case 'status':
      return true;
    default:
      return false;
  }
}

function isEpoch(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRate(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(isName);
}
