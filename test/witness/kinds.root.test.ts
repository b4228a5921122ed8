/** The conformance suite of witnesses, on every kind that there is. */
import { daemonKind } from './daemon-kind.ts';
import { describeWitnessKind } from './conformance.ts';

for (const kind of [daemonKind]) describeWitnessKind(kind);
