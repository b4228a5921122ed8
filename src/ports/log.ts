/**
 * `error`: someone must act. `warn`: redundancy or time is being lost. `info`: a decision or a
 * change of state. `debug`: inputs. The message is fixed text; facts go into `fields`.
 */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
