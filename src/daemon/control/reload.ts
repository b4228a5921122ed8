/**
 * Reads the configuration file again and says whether it can be used. What runs keeps the old one
 * in either case: heart, control and mirrors of a node must agree, and read theirs when Tako starts.
 */
import { isDeepStrictEqual } from 'node:util';
import { loadConfig } from '../../adapters/config/load-config.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { EventStore } from '../../ports/event-store.ts';
import type { NodeSetup } from '../../protocol/config.ts';

export function reloadConfig(setup: NodeSetup, events: EventStore): string {
  const { configFile } = setup;
  try {
    const { config } = loadConfig(configFile);
    if (isDeepStrictEqual(config, setup.config)) return `${configFile} has not changed`;
    if (config.cluster !== setup.config.cluster) {
      throw new TakoError('config-invalid', `${configFile} is of another cluster`, {
        next: `Expected cluster "${setup.config.cluster}"`,
      });
    }
    const text = `${configFile} is good and takes effect when Tako is started anew on this node`;
    events.append({ level: 'info', kind: 'config-accepted', text });
    return `${text}; next: move its groups away, then restart Tako, one node after the other`;
  } catch (error) {
    const text = `${configFile} cannot be used, the old configuration stays`;
    events.append({ level: 'error', kind: 'config-refused', text });
    throw error;
  }
}
