/** Errors of node:fs by their name. */
export function isDeviceError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
