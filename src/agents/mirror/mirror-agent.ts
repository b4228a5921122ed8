/**
 * The `mirror` resource: online while this node's mirror process serves the directory as primary.
 * Which copies count is in the ownership record, so a start asks for it at that moment.
 */
import type { CancelSignal } from '../../base/cancel-signal.ts';
import type { ActionOutcome, Agent, MonitorResult, StopMode } from '../../ports/agent.ts';
import type { MirrorAnswer, MirrorControl } from '../../ports/mirror-control.ts';
import type { Epoch, NodeId } from '../../protocol/ids.ts';
import type { MirrorStatus } from '../../protocol/mirror-ipc.ts';

export interface MirrorAgentOptions {
  readonly mirror: MirrorControl;
  /** The copies in sync by the present record; this node among them. */
  readonly inSync: () => readonly NodeId[];
  readonly path: string;
}

/** A mirror process that died is started again by the heart within this time. */
const CONNECT_MS = 3000;

export class MirrorAgent implements Agent {
  readonly #options: MirrorAgentOptions;

  constructor(options: MirrorAgentOptions) {
    this.#options = options;
  }

  async start(epoch: Epoch, _cancel: CancelSignal): Promise<ActionOutcome> {
    const { mirror, path } = this.#options;
    if (!(await mirror.whenConnected(CONNECT_MS))) return notConnected();
    const status = await this.#askStatus();
    if (status?.role === 'primary' && status.epoch === epoch && status.mounted) {
      return { outcome: 'ok', detail: describe(status) };
    }
    const answer = await mirror.command({ type: 'serve', epoch, inSync: this.#options.inSync() });
    return outcomeOf(answer, `serving ${path}`);
  }

  async stop(cancel: CancelSignal, mode: StopMode): Promise<ActionOutcome> {
    const { mirror, path } = this.#options;
    if (!(await mirror.whenConnected(CONNECT_MS))) {
      // It may be hung and yet serve; the heart starts a dead one anew, which then answers.
      const detail = 'the mirror process does not answer';
      return { outcome: 'unknown', detail, leased: true };
    }
    const status = await unlessCancelled(this.#askStatus(), cancel);
    if (status === 'cancelled') {
      const detail = 'the mirror process is there, but does not answer';
      return { outcome: 'unknown', detail, leased: true };
    }
    if (status !== undefined && status.role !== 'primary') {
      return { outcome: 'ok', detail: `${path} is not served` };
    }
    const answer = await mirror.command({ type: mode === 'orderly' ? 'drain' : 'abort' });
    return outcomeOf(answer, `${path} is not served any more`);
  }

  /** The mirror's process looks at all there is for each answer; there is no deeper check. */
  async monitor(_cancel: CancelSignal): Promise<MonitorResult> {
    const { mirror } = this.#options;
    if (!(await mirror.whenConnected(CONNECT_MS))) {
      return { state: 'stopped', detail: 'the mirror process does not run' };
    }
    const status = await this.#askStatus();
    if (status === undefined) return { state: 'failed', detail: 'the mirror process died' };
    if (status.role === 'primary' && status.mounted) {
      return { state: 'online', detail: describe(status) };
    }
    return { state: 'stopped', detail: `it is ${status.role}` };
  }

  /** As it is now; what it said last may be a second old. Undefined when it died meanwhile. */
  async #askStatus(): Promise<MirrorStatus | undefined> {
    const answer = await this.#options.mirror.command({ type: 'status' });
    return answer.ok ? answer.status : undefined;
  }

  onChange(listener: (result: MonitorResult) => void): void {
    this.#options.mirror.onConnection((connected) => {
      if (!connected) listener({ state: 'failed', detail: 'the mirror process died' });
    });
  }
}

/** A process that hangs never answers. */
function unlessCancelled<T>(work: Promise<T>, cancel: CancelSignal): Promise<T | 'cancelled'> {
  return new Promise((resolve, reject) => {
    const cancelled = (): void => resolve('cancelled');
    cancel.addEventListener('abort', cancelled);
    void work.then(resolve, reject).finally(() => cancel.removeEventListener('abort', cancelled));
  });
}

function notConnected(): ActionOutcome {
  return { outcome: 'failed', detail: 'the mirror process does not answer' };
}

function outcomeOf(answer: MirrorAnswer, done: string): ActionOutcome {
  if (answer.ok) return { outcome: 'ok', detail: done };
  const { code, message: detail } = answer;
  if (code === 'not-running') return { outcome: 'unknown', detail, leased: true };
  // What a copy lacks no restart brings back.
  return { outcome: 'failed', detail, lasting: code === 'copy-stale' };
}

function describe(status: MirrorStatus): string {
  if (status.frozen !== undefined) return `serving; writes wait: ${status.frozen}`;
  const inSync = status.peers.filter((peer) => peer.state === 'in-sync').map((peer) => peer.node);
  return inSync.length === 0
    ? 'serving, no copy in sync'
    : `serving, in sync: ${inSync.join(', ')}`;
}
