/**
 * Which configuration to start with: the administrator's file when it can be used; else, loudly,
 * the last good one, so that a slip of the pen does not turn a reboot into an outage.
 */
import { loadConfig } from '../../adapters/config/load-config.ts';
import { formatProblem } from '../../protocol/config-problem.ts';
import { lastGoodPath, readLastGood } from '../../adapters/config/setup-files.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { Config } from '../../protocol/config.ts';
import type { Say } from './say.ts';

export interface ChosenConfig {
  readonly config: Config;
  /** False when it is the last good one in place of a broken file. */
  readonly fresh: boolean;
}

export function chooseConfig(file: string, stateDir: string, say: Say): ChosenConfig {
  try {
    const { config, warnings } = loadConfig(file);
    for (const warning of warnings) say('warning', formatProblem(warning));
    return { config, fresh: true };
  } catch (error) {
    if (!(error instanceof TakoError)) throw error;
    const config = readLastGood(stateDir);
    if (config === undefined) throw error;
    say('error', error.message);
    say(
      'error',
      `GOING ON WITH THE LAST GOOD CONFIGURATION (${lastGoodPath(stateDir)}): ` +
        `changes in "${file}" since then have no effect.`,
    );
    say('error', `Next: correct the file, then run "tako config reload"`);
    return { config, fresh: false };
  }
}
