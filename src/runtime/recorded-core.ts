/** A core that tells a recorder all that it is told and decides; it decides as any other. */
import type { Instant } from '../base/time.ts';
import { NodeCore, type NodeCoreOptions } from '../core/node/node-core.ts';
import type { CoreEvent, Effect } from '../core/node/node-io.ts';
import type { DecisionRecorder } from './recording.ts';

export class RecordedCore extends NodeCore {
  readonly #recorder: Pick<DecisionRecorder, 'started' | 'stepped'>;

  constructor(made: NodeCoreOptions, recorder: Pick<DecisionRecorder, 'started' | 'stepped'>) {
    super(made);
    this.#recorder = recorder;
  }

  override start(now: Instant): readonly Effect[] {
    const did = super.start(now);
    this.#recorder.started(now, did);
    return did;
  }

  override step(told: CoreEvent): readonly Effect[] {
    const did = super.step(told);
    this.#recorder.stepped(told, did);
    return did;
  }
}
