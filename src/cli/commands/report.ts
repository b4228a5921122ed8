/** `tako report GROUP/RESOURCE ok|failed|away`: what a shell program says about itself. */
import { Argument, type Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import { isErrorCode } from '../../protocol/api-codes.ts';
import { DURATION_WANTED, parseDuration } from '../../protocol/config-words.ts';
import { REPORT_TTL_MS, isTtl, reportSocketPath } from '../../protocol/report.ts';
import { type ClientOptions, type CommandContext, withRunDir } from '../command-context.ts';

interface ReportOptions extends ClientOptions {
  readonly detail?: string;
  readonly ttl?: string;
}

export function addReportCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('report')
    .description('report the health of a resource, or ask to move its group away')
    .argument('<group/resource>', 'what the report is about')
    .addArgument(new Argument('<state>', 'how it is').choices(['ok', 'failed', 'away']))
    .option('--detail <text>', 'one sentence: what is wrong, or why it should move')
    .option('--ttl <duration>', 'promise to report again within this time, such as 10s');
  withRunDir(command, context).action((about: string, state: string, options: ReportOptions) =>
    report({ about, state, options }, context),
  );
}

async function report(
  asked: { readonly about: string; readonly state: string; readonly options: ReportOptions },
  { world }: CommandContext,
): Promise<void> {
  const { about, state, options } = asked;
  const [group, resource, more] = about.split('/');
  if (group === undefined || resource === undefined || more !== undefined || resource === '') {
    throw new TakoError('bad-request', `Cannot report about "${about}": want GROUP/RESOURCE`);
  }
  const ttlMs = options.ttl === undefined ? undefined : ttlOf(options.ttl);
  const socket = reportSocketPath(options.runDir, group, resource);
  const health = state === 'ok' ? 'ok' : 'failed';
  const answer =
    state === 'away'
      ? await world.askAway(socket, options.detail ?? '')
      : await world.reportHealth(socket, { health, detail: options.detail, ttlMs });
  if (answer.ok) return world.out(`${answer.text}\n`);
  const { code = '', text } = answer;
  const next = `See "tako why ${group}"`;
  throw new TakoError(isErrorCode(code) ? code : 'internal', text, { next });
}

function ttlOf(text: string): number {
  const ms = parseDuration(text);
  if (isTtl(ms)) return ms;
  const { min, max } = REPORT_TTL_MS;
  const wanted = `${DURATION_WANTED}, from ${min} ms to ${max / 60_000} minutes`;
  throw new TakoError('bad-request', `Cannot promise to report every "${text}": want ${wanted}`);
}
