/** One event as one line for people. */
import type { TakoEvent } from '../../protocol/event.ts';
import { createPaint, toneOf } from './paint.ts';

const KIND_WIDTH = 16;
const NODE_WIDTH = 4;

export function renderEvent(event: TakoEvent, colours: boolean): string {
  const paint = createPaint(colours);
  const subject = event.resource === undefined ? event.group : `${event.group}/${event.resource}`;
  const kind = plain(event.kind).padEnd(KIND_WIDTH);
  const text = subject === undefined ? event.text : `${subject}: ${event.text}`;
  const head = `${paint('faint', localTime(event.time))}  ${plain(event.node).padEnd(NODE_WIDTH)}`;
  return `${head}  ${paint(toneOf(event.level), kind)}  ${plain(text)}`;
}

/** Without characters that steer a terminal: texts may quote what programs and peers said. */
export function plain(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu,
    '\u{FFFD}',
  );
}

/** An ISO time in the time zone of the reader, with milliseconds. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return plain(iso);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
