/** The sockets on which the programs of this node's resources report about themselves. */
import { type ReportSocket, listenForReports } from '../../adapters/report-socket.ts';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { GroupId, ResourceId } from '../../protocol/ids.ts';
import { type ReportAnswer, type ReportMessage, reportSocketPath } from '../../protocol/report.ts';
import type { ControlRuntime } from '../../runtime/control-runtime.ts';

/** One that cannot be made is told, and its resource runs without. */
export async function listenToPrograms(
  { config, node, runDir }: NodeSetup,
  runtime: ControlRuntime,
  log: Log,
): Promise<ReportSocket> {
  const groups = config.groups.filter(({ nodes }) => nodes.includes(node));
  const made = groups.flatMap(({ id: group, resources }) =>
    resources.map(async (resource): Promise<ReportSocket | undefined> => {
      try {
        return await listenForReports({
          path: reportSocketPath(runDir, group, resource.id),
          user: resource.agent === 'process' ? resource.user : undefined,
          log,
          onMessage: (message) => heard({ group, resource: resource.id }, message, runtime),
        });
      } catch (error) {
        if (!(error instanceof TakoError)) throw error;
        log.warn('a resource cannot report about itself', { group, error: error.message });
        return undefined;
      }
    }),
  );
  const sockets = (await Promise.all(made)).filter((socket) => socket !== undefined);
  return {
    close: async () => {
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  };
}

async function heard(
  { group, resource }: { readonly group: GroupId; readonly resource: ResourceId },
  message: ReportMessage,
  runtime: ControlRuntime,
): Promise<ReportAnswer> {
  if (message.type === 'health') {
    const { health, detail, ttlMs } = message;
    const heeded = runtime.report(group, { resource, health, detail, ttlMs });
    if (heeded) return { ok: true, text: 'heard' };
    return { ok: false, code: 'not-owner', text: `"${group}/${resource}" is not online here` };
  }
  try {
    const { reason } = message;
    return { ok: true, text: await runtime.ask(group, { type: 'away', reason }) };
  } catch (error) {
    const code = error instanceof TakoError ? error.code : 'internal';
    return { ok: false, code, text: messageOf(error) };
  }
}
