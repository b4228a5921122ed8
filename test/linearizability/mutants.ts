/**
 * Deliberate defects of the registry in real daemons: the sources are copied, one text in one file
 * is replaced, and the cluster runs from the copy. So the check is shown to be able to fail.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';
import { applyMutant } from '../sim/mutant-run.ts';
import type { Mutant } from '../sim/mutants.ts';
import type { Registry } from './judge.ts';

interface RegistryMutant extends Omit<Mutant, 'breaks'> {
  /** Which back end has the defect. */
  readonly registry: Registry;
}

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export const REGISTRY_MUTANTS: readonly RegistryMutant[] = [
  {
    name: 'acceptor-forgets-what-it-accepted',
    file: 'core/registry/acceptor.ts',
    find: 'promised: ballot, accepted: { ballot, record } };',
    replace:
      'promised: ballot, accepted: ballot.counter % 5 > 0 ' +
      '? { ballot, record } : this.#entries.get(group)?.accepted };',
    registry: 'members',
  },
  {
    name: 'quorums-of-one-less',
    file: 'core/registry/electorate.ts',
    find: 'return Math.floor(electorate.length / 2) + 1;',
    replace: 'return Math.max(1, Math.floor(electorate.length / 2));',
    registry: 'members',
  },
  {
    name: 'first-answer-taken-for-the-latest',
    file: 'core/registry/proposer.ts',
    find: 'if (latest === undefined || compareVotes(accepted, latest) > 0) {',
    replace: 'if (latest === undefined) {',
    registry: 'members',
  },
  {
    name: 'etcd-swap-whatever-is-there',
    file: 'adapters/registry-etcd/etcd-record-store.ts',
    find: 'const transaction = { compare, success:',
    replace: 'const transaction = { compare: compare.slice(1), success:',
    registry: 'etcd',
  },
  {
    name: 'etcd-unknown-told-as-refused',
    file: 'adapters/registry-etcd/etcd-record-store.ts',
    find: "if (answer.type !== 'answered') return answer;",
    replace: "if (answer.type !== 'answered') return { type: 'refused', why: answer.why };",
    registry: 'etcd',
  },
];

export function mutantNamed(name: string): RegistryMutant {
  const known = REGISTRY_MUTANTS.map((mutant) => mutant.name).join(', ');
  return must(
    REGISTRY_MUTANTS.find((mutant) => mutant.name === name),
    `mutant "${name}" is one of ${known}`,
  );
}

/** The text of the production file with the defect in it. */
export function mutatedText(mutant: RegistryMutant): string {
  const text = readFileSync(join(PROJECT, 'src', mutant.file), 'utf8');
  return applyMutant(text, { ...mutant, breaks: [] });
}

/** A copy of what the daemons need, with the defect; `remove` it afterwards. */
export function mutatedTree(mutant: RegistryMutant): { readonly root: string; remove(): void } {
  const text = mutatedText(mutant);
  const root = mkdtempSync(join(tmpdir(), 'tako-mutant-'));
  for (const name of ['bin', 'src', 'package.json']) {
    cpSync(join(PROJECT, name), join(root, name), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'src', mutant.file), text);
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
