/** Checks that what another member sent is a message of the registry, or a decided fact. */
import type { RegistryMessage } from '../../protocol/record.ts';
import type { Decided, MemberMessage, Standing } from '../node/node-io.ts';
import { decodeAcceptorEntry } from './acceptor-entry.ts';

const QUESTIONS = ['prepare', 'accept'];
const ANSWERS = ['prepared', 'accepted', 'refused'];

type Fields = Readonly<Record<string, unknown>>;

/** Undefined for anything else: the sender is authentic, but may be of another version. */
export function decodeMemberMessage(value: unknown): MemberMessage | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Fields;
  const { type, group } = fields;
  if (type === 'flaps') return { type };
  if (type === 'standing') return isStanding(fields) ? (value as Standing) : undefined;
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

const STANDINGS = ['online', 'up', 'down', 'moving'];

function isStanding({ groups }: Fields): boolean {
  return (
    Array.isArray(groups) &&
    groups.every((each: unknown) => {
      if (typeof each !== 'object' || each === null) return false;
      const { group, epoch, state, to } = each as Fields;
      const named = to === undefined || typeof to === 'string';
      const known = typeof state === 'string' && STANDINGS.includes(state);
      return typeof group === 'string' && Number.isSafeInteger(epoch) && known && named;
    })
  );
}
