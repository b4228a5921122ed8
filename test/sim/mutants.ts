/**
 * Deliberate defects, to show that the simulator finds such things: each replaces one piece of text
 * in one file of the production sources. The text must be there exactly once, so that a mutant
 * that no longer fits the code is noticed.
 */
import type { LifeKind } from './seeds.ts';

export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The promises of which it must break one; what else breaks does not count. */
  readonly breaks: readonly string[];
  /** It shows itself in lives of that kind only, and only those are lived. */
  readonly only?: LifeKind;
  /** It shows itself when this procedure is interrupted, and hardly ever in fresh lives. */
  readonly procedure?: string;
  /** The lives that are kept show it, and fresh ones hardly ever: most undo what was mended once. */
  readonly kept?: true;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'started-beside-what-it-must-be-apart-from',
    breaks: ['N30'],
    file: 'core/node/placed.ts',
    find: 'if (here !== undefined) return this.#holdBack(`${me} ${here}`, now);',
    replace: 'if (here === `${now}`) return this.#holdBack(`${me} ${here}`, now);',
  },
  {
    name: 'never-handed-on-to-where-it-belongs',
    breaks: ['liveness'],
    file: 'core/node/placed.ts',
    find: 'if (this.#isDue(wish, now)) this.#go(wish, now);',
    replace: 'if (now < 0) this.#go(wish, now);',
    only: 'placement',
  },
  {
    name: 'promise-forgotten-at-restart',
    breaks: ['H1', 'H2'],
    file: 'core/heart/promises.ts',
    find: 'this.#quietUntil = plus(startedAt, Math.max(this.#termMs, formerTermMs ?? 0));',
    replace: 'this.#quietUntil = startedAt;',
  },
  {
    name: 'ballot-forgotten-at-restart',
    breaks: ['R2', 'R4', 'R5', 'R6'],
    file: 'core/registry/acceptor.ts',
    find: 'for (const entry of restored) this.#entries.set(entry.group, entry);',
    replace:
      'for (const entry of restored) {\n' +
      "      const promised = { counter: 0, node: '' as NodeId, seat: this.seat };\n" +
      '      this.#entries.set(entry.group, { ...entry, promised });\n    }',
  },
  {
    name: 'lease-counted-from-receipt',
    breaks: ['H1', 'H2', 'H4', 'H'],
    file: 'core/heart/heart-core.ts',
    find: 'this.#leases.upheld({ node: from, seat: body.seat }, body.round, body.promises);',
    replace:
      'const round = this.#leases.startRound(now);\n' +
      '      this.#leases.upheld({ node: from, seat: body.seat }, round, body.promises);',
  },
  {
    name: 'acceptor-answers-before-fsync',
    breaks: ['P1', 'R', 'R4', 'R5', 'R6'],
    file: 'core/registry/acceptor.ts',
    find: "      { type: 'answer', to: from, message: answer, after: persist.id },\n    ];",
    replace: "      { type: 'answer', to: from, message: answer, after: undefined },\n    ];",
  },
  {
    name: 'instance-forgets-bars',
    breaks: ['I1', 'liveness'],
    file: 'core/node/everywhere.ts',
    find: '    const barred = barOf(present, me);',
    replace: '    const barred = me === undefined ? barOf(present, me) : undefined;',
  },
  {
    name: 'hook-waited-for-without-end',
    breaks: ['liveness'],
    file: 'core/node/hooks.ts',
    find: '      if (now < endsAt) continue;',
    replace: '      if (now < endsAt + 3_600_000) continue;',
    only: 'hooks',
  },
  {
    name: 'fence-that-fails-taken-for-off',
    kept: true,
    breaks: ['P1', 'P2', 'P3', 'R6', 'H1', 'H2'],
    file: 'core/node/fence-keeper.ts',
    find: "    if (answer.state === 'off') {",
    replace: "    if (answer.state !== 'on') {",
  },
  {
    name: 'fence-although-the-other-decides-alone',
    only: 'fences',
    breaks: ['P1', 'R6'],
    file: 'core/registry/forced-line.ts',
    find: '    if (silent.length < majorityOf(voters)) continue;',
    replace: '    if (silent.length < majorityOf(voters) + 1) continue;',
  },
  {
    name: 'stop-timeout-taken-as-stopped',
    breaks: ['N2', 'N7', 'P1', 'P3'],
    file: 'core/group/engine.ts',
    find: "    if (result.outcome === 'ok') {\n      r.state = 'stopped';",
    replace: "    if (result.outcome !== 'failed') {\n      r.state = 'stopped';",
  },
  {
    name: 'in-sync-not-checked-at-takeover',
    breaks: ['P1', 'R6'],
    file: 'core/registry/record-change.ts',
    find:
      '  for (const [mirror, nodes] of Object.entries(present.inSync)) {\n' +
      '    if (!nodes.includes(change.owner)) {',
    replace:
      '  for (const [mirror, nodes] of Object.entries(present.inSync)) {\n' +
      '    if (nodes.length === 0) {',
  },
  {
    name: 'mirror-not-sealed-before-claim',
    breaks: ['N3'],
    file: 'core/node/candidate.ts',
    find: 'const nothingToSeal = context.mirrors.mirrors.length === 0;',
    replace: 'const nothingToSeal = context.mirrors.mirrors.length >= 0;',
  },
  {
    name: 'copy-expelled-before-the-vote',
    breaks: ['P1'],
    file: 'core/node/owner.ts',
    find: "        voice.sayOnce(copyLost(mirror, peer), 'warning', 'copy-lost', text, mirror);",
    replace:
      "        voice.sayOnce(copyLost(mirror, peer), 'warning', 'copy-lost', text, mirror);\n" +
      '        mirrors.expel(mirror, peer);',
  },
  {
    name: 'quorums-need-not-intersect',
    breaks: ['H', 'H1', 'H2', 'R', 'R4', 'R5', 'R6'],
    file: 'core/registry/electorate.ts',
    find: 'return Math.floor(electorate.length / 2) + 1;',
    replace: 'return Math.floor((electorate.length + 1) / 2);',
  },
  {
    name: 'quorums-of-one-less',
    breaks: ['H', 'H1', 'H2', 'R', 'R4', 'R5', 'R6'],
    file: 'core/registry/electorate.ts',
    find: 'return Math.floor(electorate.length / 2) + 1;',
    replace: 'return Math.max(1, Math.floor(electorate.length / 2));',
  },
  {
    name: 'voters-changed-in-one-step',
    breaks: ['R6', 'R11'],
    file: 'core/registry/record-change.ts',
    find: "return { type: 'write', record: { ...present, voters, formerVoters: present.voters } };",
    replace: "return { type: 'write', record: { ...present, voters } };",
  },
  {
    name: 'votes-counted-by-the-new-voters-alone',
    breaks: ['R', 'R4', 'R5', 'R6', 'R11'],
    file: 'core/registry/electorate.ts',
    find: 'return formerVoters === undefined ? [voters] : [voters, formerVoters];',
    replace: 'return formerVoters === voters ? [] : [voters];',
  },
  {
    name: 'started-after-the-lease-has-run-out',
    breaks: ['P3'],
    file: 'protocol/lease-mark.ts',
    find: 'return now < mark.validUntil && sleptMs - mark.sleptMs <= SLEEP_MS_MIN;',
    replace: 'return now > 0 && mark.validUntil > 0 && sleptMs - mark.sleptMs <= SLEEP_MS_MIN;',
  },
  {
    name: 'voter-answers-for-a-revoked-promise',
    breaks: ['H1', 'H2'],
    procedure: 'owner-half-isolated',
    file: 'core/heart/promises.ts',
    find: 'if (now < this.#quietUntil || this.#revoked.has(group)) return false;',
    replace: 'if (now < this.#quietUntil) return false;',
  },
  {
    name: 'claim-released-before-all-stopped',
    breaks: ['N7'],
    file: 'core/node/departure.ts',
    find: "    context.engineDid(context.engine.stop('abandon', now), now);",
    replace:
      "    context.voice.emit({ type: 'release', group: context.id });\n" +
      "    context.engineDid(context.engine.stop('abandon', now), now);",
  },
  {
    name: 'handed-over-before-all-stopped',
    breaks: ['N2'],
    file: 'core/node/departure.ts',
    find:
      "    voice.say('info', kind, `moving from ${record.owner} to ${to}: ${reason}`);\n" +
      "    this.#context.engineDid(engine.stop('orderly', now), now);",
    replace:
      "    voice.say('info', kind, `moving from ${record.owner} to ${to}: ${reason}`);\n" +
      "    this.#context.engineDid(engine.stop('orderly', now), now);\n" +
      '    this.#transfer(record, now);',
  },
  {
    name: 'vote-against-a-live-promise',
    breaks: ['H1', 'H2'],
    file: 'core/heart/promises.ts',
    find: 'if (promised !== undefined && now < promised.until) {',
    replace: 'if (promised !== undefined && now < promised.until - this.#termMs / 2) {',
  },
  {
    name: 'admission-voted-after-the-copy-was-expelled',
    breaks: ['P1'],
    kept: true,
    file: 'core/node/group-context.ts',
    find: "change.type === 'admit' && change.mirror === mirror && change.peer === peer;",
    replace: "change.type === 'admit' && change.mirror === mirror && change.peer === this.me;",
  },
  {
    name: 'copies-of-a-service-that-is-over-count',
    breaks: ['P1'],
    kept: true,
    file: 'core/node/copy-keeper.ts',
    find: 'if (copy.mirror === mirror && !proposed.includes(copy.peer)) copy.caughtUp = false;',
    replace: 'if (copy.mirror === mirror && !proposed.includes(copy.peer)) copy.since = NEVER;',
  },
  {
    name: 'rivals-claim-completed-while-serving',
    breaks: ['P2'],
    kept: true,
    file: 'core/node/group-context.ts',
    find: 'const mayDepose = (): boolean => this.epochOwned === undefined;',
    replace: 'const mayDepose = (): boolean => true;',
  },
];
