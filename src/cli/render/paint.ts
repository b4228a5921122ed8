/** Colours, for terminals only, and only as a second sign beside the words. */
import { styleText } from 'node:util';

export type Tone = 'good' | 'notice' | 'bad' | 'strong' | 'faint';

const STYLE = {
  good: 'green',
  notice: 'yellow',
  bad: 'red',
  strong: 'bold',
  faint: 'dim',
} as const;

export type Paint = (tone: Tone, text: string) => string;

export function createPaint(colours: boolean): Paint {
  if (!colours) return (_, text) => text;
  return (tone, text) => styleText(STYLE[tone], text, { validateStream: false });
}

const TONES: Readonly<Record<string, Tone>> = {
  info: 'good',
  online: 'good',
  up: 'good',
  'in-sync': 'good',
  stopped: 'faint',
  idle: 'faint',
  error: 'bad',
  failed: 'bad',
  blocked: 'bad',
  lost: 'bad',
};

/** The tone of a state or level; everything in between is worth a look. */
export function toneOf(state: string): Tone {
  return TONES[state] ?? 'notice';
}
