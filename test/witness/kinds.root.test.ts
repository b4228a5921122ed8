/** The conformance suite of witnesses, on every kind that there is. */
import { daemonKind } from './daemon-kind.ts';
import { shareKind } from './share-kind.ts';
import { describeWitnessKind } from './conformance.ts';

for (const kind of [daemonKind, shareKind]) describeWitnessKind(kind);
