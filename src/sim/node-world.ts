/** What a simulated member finds around it: time, the others, and those who look on. */
import type { Prng } from '../base/prng.ts';
import type { Instant } from '../base/time.ts';
import type { NodeCore, NodeCoreOptions } from '../core/node/node-core.ts';
import type { MemberMessage } from '../core/node/node-io.ts';
import type { Config } from '../protocol/config.ts';
import type { FenceAnswer } from '../protocol/fence.ts';
import type { BootId, Epoch, LinkId, NodeId } from '../protocol/ids.ts';
import type { AnswerBody, HeartbeatBody } from '../protocol/packet.ts';
import type { Checkers } from './checkers.ts';
import type { DurableKind, Moment } from './durable-steps.ts';
import type { Question, StoreAnswer } from './sim-etcd.ts';
import type { SimMirror } from './sim-mirror.ts';
import type { Trace } from './trace.ts';

export interface NodeWorld {
  readonly config: Config;
  readonly prng: Prng;
  readonly checkers: Checkers;
  readonly trace: Trace;
  now(): Instant;
  at(when: Instant, run: () => void): void;
  newBoot(): BootId;
  packet(from: NodeId, to: NodeId, link: LinkId, body: HeartbeatBody | AnswerBody): void;
  message(from: NodeId, to: NodeId, body: MemberMessage): void;
  mirror(node: NodeId, from: NodeId, key: string): SimMirror | undefined;
  askStore(from: NodeId, question: Question, answer: (event: StoreAnswer) => void): void;
  stream(from: NodeId, to: NodeId, arrived: () => void, ended: () => void): void;
  syncMs(node: NodeId): number;
  /** The core of a control process that has just started. */
  newCore(made: NodeCoreOptions): NodeCore;
  /** Something is about to be durable there, or has just become so; the node may be ended by it. */
  reached(node: NodeId, what: DurableKind, moment: Moment): void;
  /** Turns that node off, and tells what was found. */
  fence(node: NodeId, answer: (given: FenceAnswer) => void): void;
  said(node: NodeId, group: string, kind: string, text: string): void;
  acknowledged(node: NodeId, key: string, write: number, epoch: Epoch): void;
  replied(node: NodeId, id: number, ok: boolean, text: string): void;
}
