/** Checks that what another member sent is a message of the registry, or a decided fact. */
import type { RegistryMessage } from '../../protocol/record.ts';
import type { Decided } from '../node/node-io.ts';
import { decodeAcceptorEntry } from './acceptor-entry.ts';

const QUESTIONS = ['prepare', 'accept'];
const ANSWERS = ['prepared', 'accepted', 'refused'];

type Fields = Readonly<Record<string, unknown>>;

/** Undefined for anything else: the sender is authentic, but may be of another version. */
export function decodeMemberMessage(value: unknown): RegistryMessage | Decided | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Fields;
  const { type, group } = fields;
  if (typeof type !== 'string' || typeof group !== 'string') return undefined;
  if (type === 'decided') return isDecided(fields) ? (value as Decided) : undefined;
  if (typeof fields['id'] !== 'string') return undefined;
  const known = QUESTIONS.includes(type) || ANSWERS.includes(type);
  return known && hasItsFields(type, fields) ? (value as RegistryMessage) : undefined;
}

function hasItsFields(type: string, fields: Fields): boolean {
  if (type === 'refused') return typeof fields['remainingMs'] === 'number';
  if (ANSWERS.includes(type) && typeof fields['seat'] !== 'string') return false;
  const { group, ballot } = fields;
  const accepted = type === 'accept' ? { ballot, record: fields['record'] } : fields['accepted'];
  if (type === 'accept' && fields['record'] === undefined) return false;
  return decodeAcceptorEntry({ group, promised: ballot, accepted }) !== undefined;
}

function isDecided(fields: Fields): boolean {
  const { group, record, failedOn, reason } = fields;
  const ballot = { counter: 0, node: '', seat: '' };
  const whole = decodeAcceptorEntry({ group, promised: ballot, accepted: { ballot, record } });
  const named = Array.isArray(failedOn) && failedOn.every((node) => typeof node === 'string');
  return record !== undefined && whole !== undefined && named && typeof reason === 'string';
}
