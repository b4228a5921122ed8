/** Between a heart and the process that reads and writes a share for it. */
import type { AnswerBody, HeartbeatBody } from './packet.ts';
import type { RegistryMessage } from './record.ts';

export type ShareBeat = Pick<HeartbeatBody, 'round' | 'claims' | 'without' | 'termMs'>;
export type ShareQuestion = Extract<RegistryMessage, { type: 'prepare' | 'accept' }>;

export type ToShare =
  | { readonly type: 'beat'; readonly beat: ShareBeat }
  | { readonly type: 'asked'; readonly question: ShareQuestion };

export type FromShare =
  /** It votes after that time. */
  | { readonly type: 'waiting'; readonly why: string; readonly ms: number }
  /** It votes from now on. */
  | { readonly type: 'serving'; readonly seat: string }
  | { readonly type: 'answer'; readonly body: AnswerBody }
  | { readonly type: 'message'; readonly message: RegistryMessage }
  /** It ends: why, and what to do. */
  | { readonly type: 'failed'; readonly why: string };
