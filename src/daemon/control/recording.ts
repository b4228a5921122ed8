/**
 * Records what the core of this node is told and decides, for `tako why --replay`
 * (docs/operating/why.md). Nothing is decided from it, and its end changes nothing but an event.
 */
import { join } from 'node:path';
import { type DecisionJournal, openDecisionJournal } from '../../adapters/decision-journal.ts';
import { readRelease } from '../../adapters/release.ts';
import { systemClock } from '../../adapters/clock.ts';
import type { NodeCore, NodeCoreOptions } from '../../core/node/node-core.ts';
import type { EventStore } from '../../ports/event-store.ts';
import type { Log } from '../../ports/log.ts';
import { RecordedCore } from '../../runtime/recorded-core.ts';
import { RecordingEncoder, encodeHead } from '../../runtime/recording.ts';

export interface Recording {
  readonly core: NodeCore;
  readonly recorder: RecordingEncoder;
  readonly journal: DecisionJournal;
}

export function recordDecisions(
  made: NodeCoreOptions,
  parts: { readonly stateDir: string; readonly events: EventStore; readonly log: Log },
): Recording {
  const { stateDir, events, log } = parts;
  const head = encodeHead(made, {
    release: readRelease(),
    time: systemClock.wallTime(),
    at: systemClock.now(),
    eventsBefore: events.latest(1)[0]?.id ?? 0,
  });
  const journal = openDecisionJournal({
    folder: join(stateDir, 'decisions'),
    head,
    log,
    stopped: (reason) => {
      const text = `Decisions of this node are recorded no longer: ${reason}`;
      events.append({ level: 'warning', kind: 'recording-stopped', text });
    },
  });
  const recorder = new RecordingEncoder((line) => journal.write(line));
  return { core: new RecordedCore(made, recorder), recorder, journal };
}
