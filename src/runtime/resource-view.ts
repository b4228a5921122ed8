/** The status of the resources of a group as the engine of this node sees them. */
import type { Instant } from '../base/time.ts';
import type { GroupEngine } from '../core/group/engine.ts';
import type { ResourceStatus } from '../protocol/api.ts';
import type { GroupConfig } from '../protocol/config.ts';
import { type MirrorId, mirrorId } from '../protocol/ids.ts';
import type { MirrorStatus } from '../protocol/mirror-ipc.ts';

export function resourcesOf(
  group: GroupConfig,
  engine: GroupEngine,
  now: Instant,
  mirrors: ReadonlyMap<MirrorId, MirrorStatus | undefined> = new Map(),
): readonly ResourceStatus[] {
  const views = new Map(engine.view(now).map((view) => [view.id, view]));
  return group.resources.map((config): ResourceStatus => {
    const view = views.get(config.id);
    const isMirror = config.agent === 'mirror';
    return {
      id: config.id,
      agent: config.agent,
      state: view?.state ?? 'unknown',
      detail: view?.detail ?? '',
      restarts: view?.restarts ?? 0,
      mirror: isMirror ? mirrors.get(mirrorId(group.id, config.id)) : undefined,
    };
  });
}
