/** Applies a mutant to a copy of the sources, and has lives run there until one breaks. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutant } from './mutants.ts';
import type { KeptJob } from './kept-lives.ts';
import type { Caught, HuntJob } from './steps.ts';
import { SEED_MAX, type SeedsJob, type SeedsResult } from './seeds.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** What the simulator and its command need of the sources. */
const FOLDERS: readonly string[] = ['base', 'protocol', 'core', 'sim'];

export interface MutantResult {
  readonly name: string;
  readonly caught: boolean;
  readonly lives: number;
  readonly seconds: number;
  /** The life that broke: its seed, or how a procedure was interrupted. */
  readonly where: string | undefined;
  readonly message: string;
}

/** The text with the defect in it; throws when the mutant does not fit exactly once. */
export function applyMutant(text: string, mutant: Mutant): string {
  const parts = text.split(mutant.find);
  if (parts.length === 2) return parts.join(mutant.replace);
  throw new Error(
    `Cannot apply mutant "${mutant.name}": its text is in src/${mutant.file} ` +
      `${parts.length - 1} times, and must be there once. ` +
      'Next: bring test/sim/mutants.ts up to the present code',
  );
}

/** The production file as it would be; for a check that all mutants fit. */
export function mutated(mutant: Mutant): string {
  return applyMutant(readFileSync(join(ROOT, 'src', mutant.file), 'utf8'), mutant);
}

export async function runMutant(mutant: Mutant, seconds: number): Promise<MutantResult> {
  const text = mutated(mutant);
  const folder = mkdtempSync(join(tmpdir(), 'tako-mutant-'));
  try {
    for (const name of FOLDERS) {
      cpSync(join(ROOT, 'src', name), join(folder, 'src', name), { recursive: true });
    }
    cpSync(import.meta.dirname, join(folder, 'test', 'sim'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(folder, 'src', mutant.file), text);
    const main = join(folder, 'test', 'sim', 'main.ts');
    const { where, ...rest } = await hunted(mutant, main, seconds);
    return { ...rest, name: mutant.name, caught: where !== undefined, where };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function hunted(mutant: Mutant, main: string, seconds: number): Promise<Caught> {
  const { breaks: hunt, kept, only, procedure } = mutant;
  if (procedure !== undefined) {
    const job: HuntJob = { procedure, seconds, hunt };
    return (await runElsewhere(main, job)) as Caught;
  }
  if (kept === true) return (await runElsewhere(main, { kept, seconds, hunt })) as Caught;
  const from = randomInt(SEED_MAX);
  const job: SeedsJob = { from, step: 1, runs: undefined, seconds, hunt, only };
  const result = await runSeedsElsewhere(main, job);
  const failure = result.failures.find(({ message }) =>
    hunt.some((promise) => message.startsWith(`${promise}:`)),
  );
  return {
    lives: result.lives,
    seconds: result.seconds,
    where: failure === undefined ? undefined : `seed ${failure.seed}`,
    message: failure?.message.split('\n')[0] ?? '',
  };
}

export async function runSeedsElsewhere(main: string, job: SeedsJob): Promise<SeedsResult> {
  return (await runElsewhere(main, job)) as SeedsResult;
}

/** Runs a job in a process of its own, which prints its result as JSON. */
function runElsewhere(main: string, job: SeedsJob | HuntJob | KeptJob): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, '--job', JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      out += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(`A process that runs lives ended with code ${code ?? 'none'}`));
    });
  });
}
