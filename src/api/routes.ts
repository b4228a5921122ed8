/** The paths of the API, version 1. */
import type { FastifyInstance } from 'fastify';
import { TakoError } from '../base/tako-error.ts';
import type { Force, Steering } from '../ports/steering.ts';
import type { MaintenanceRequest } from '../protocol/api.ts';
import type { FenceAction } from '../protocol/fence.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { EventStreams } from './event-streams.ts';

/** Longest that a request for a move, a start or a stop is held open. */
export const OPERATION_MS_MAX = 60_000;
/** A year. */
export const MAINTENANCE_MS_MAX = 31_536_000_000;
export const EVENTS_DEFAULT = 50;
export const EVENTS_MAX = 10_000;
/** Bytes per second; more than any disk. */
export const VERIFY_RATE_MAX = 1_000_000_000_000;

/** Whether there is such a group or node is for steering to say, in its own words. */
const NAME = { type: 'string', minLength: 1, maxLength: 64 };
const groupParams = {
  type: 'object',
  properties: { group: NAME },
  required: ['group'],
};
const moveBody = {
  type: 'object',
  properties: { to: NAME },
  required: ['to'],
  additionalProperties: false,
};
/** None: the whole group. One without a node is a slip, and must not stop everything. */
const instanceBody = {
  type: ['object', 'null'],
  properties: { node: NAME },
  required: ['node'],
  additionalProperties: false,
};
const forceQuery = { type: 'object', properties: { off: { type: 'string', maxLength: 8192 } } };
const forceBody = {
  type: 'object',
  properties: {
    off: { type: 'array', items: NAME, maxItems: 128 },
    acceptDataLoss: { type: 'boolean' },
  },
  required: ['off', 'acceptDataLoss'],
  additionalProperties: false,
};
const nodeParams = { type: 'object', properties: { node: NAME }, required: ['node'] };
const standbyBody = {
  type: 'object',
  properties: { on: { type: 'boolean' } },
  required: ['on'],
  additionalProperties: false,
};
const maintenanceBody = {
  type: 'object',
  properties: {
    scope: { enum: ['group', 'node', 'cluster'] },
    group: NAME,
    node: NAME,
    on: { type: 'boolean' },
    forMs: { type: 'integer', minimum: 1000, maximum: MAINTENANCE_MS_MAX },
    by: { type: 'string', maxLength: 128 },
    reason: { type: 'string', maxLength: 200 },
  },
  required: ['scope', 'on'],
  additionalProperties: false,
} as const;

const fenceBody = {
  type: 'object',
  properties: { action: { type: 'string', enum: ['off', 'status'] } },
  required: ['action'],
  additionalProperties: false,
};
const banBody = {
  type: 'object',
  properties: { node: NAME, on: { type: 'boolean' } },
  required: ['node', 'on'],
  additionalProperties: false,
};
const verifyBody = {
  type: 'object',
  properties: { bytesPerSecond: { type: 'integer', minimum: 1, maximum: VERIFY_RATE_MAX } },
  required: ['bytesPerSecond'],
  additionalProperties: false,
};
const eventsQuery = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: EVENTS_MAX, default: EVENTS_DEFAULT },
  },
};

interface GroupParams {
  readonly group: GroupId;
}

type InstanceBody = { readonly node: NodeId } | null | undefined;

export function addRoutes(app: FastifyInstance, steering: Steering, streams: EventStreams): void {
  app.get('/v1/health', async () => ({ ok: true }));
  app.get('/v1/status', async () => steering.status());

  app.get<{ Params: GroupParams }>(
    '/v1/groups/:group/why',
    { schema: { params: groupParams } },
    async ({ params }) => steering.why(params.group),
  );
  app.post<{ Params: GroupParams; Body: { readonly to: NodeId } }>(
    '/v1/groups/:group/move',
    { schema: { params: groupParams, body: moveBody } },
    async ({ params, body }) =>
      bounded(steering.move(params.group, body.to), `move group "${params.group}" to "${body.to}"`),
  );
  app.post<{ Params: GroupParams; Body: InstanceBody }>(
    '/v1/groups/:group/start',
    { schema: { params: groupParams, body: instanceBody } },
    async ({ params: { group }, body }) =>
      bounded(steering.startGroup(group, body?.node), `start ${named(group, body)}`),
  );
  app.post<{ Params: GroupParams; Body: InstanceBody }>(
    '/v1/groups/:group/stop',
    { schema: { params: groupParams, body: instanceBody } },
    async ({ params: { group }, body }) =>
      bounded(steering.stopGroup(group, body?.node), `stop ${named(group, body)}`),
  );

  app.get<{ Params: GroupParams; Querystring: { readonly off?: string } }>(
    '/v1/groups/:group/force',
    { schema: { params: groupParams, querystring: forceQuery } },
    async ({ params, query }) => steering.forceStakes(params.group, namesOf(query.off)),
  );
  app.post<{ Params: GroupParams; Body: Force }>(
    '/v1/groups/:group/force',
    { schema: { params: groupParams, body: forceBody } },
    async ({ params, body }) =>
      bounded(steering.force(params.group, body), `force group "${params.group}"`),
  );
  app.post<{ Params: GroupParams; Body: { readonly node: NodeId; readonly on: boolean } }>(
    '/v1/groups/:group/ban',
    { schema: { params: groupParams, body: banBody } },
    async ({ params: { group }, body: { node, on } }) =>
      bounded(steering.ban(group, node, on), `${on ? 'ban' : 'unban'} "${group}" on "${node}"`),
  );
  app.post<{ Params: { readonly node: NodeId }; Body: { readonly on: boolean } }>(
    '/v1/nodes/:node/standby',
    { schema: { params: nodeParams, body: standbyBody } },
    async ({ params: { node }, body: { on } }) =>
      bounded(steering.standby(node, on), `put "${node}" ${on ? 'in' : 'out of'} standby`),
  );

  addCareRoutes(app, steering);
  app.post<{ Params: { readonly node: NodeId }; Body: { readonly action: FenceAction } }>(
    '/v1/nodes/:node/fence',
    { schema: { params: nodeParams, body: fenceBody } },
    async ({ params: { node }, body: { action } }) =>
      bounded(steering.fence(node, action), `get an answer of the fence of "${node}"`),
  );

  app.get<{ Querystring: { readonly limit: number } }>(
    '/v1/events',
    { schema: { querystring: eventsQuery } },
    async ({ query }) => ({ events: await steering.events(query.limit) }),
  );
  app.get('/v1/events/follow', async (request, reply) => {
    reply.hijack();
    const after = request.headers['last-event-id'];
    await streams.open(reply.raw, typeof after === 'string' ? after : undefined);
  });

  app.post('/v1/config/reload', async () => bounded(steering.reload(), 'reload the configuration'));
}

/** About copies that may differ, nodes that come and go, and what is left alone. */
function addCareRoutes(app: FastifyInstance, steering: Steering): void {
  app.post<{ Params: GroupParams; Body: { readonly bytesPerSecond: number } }>(
    '/v1/groups/:group/verify',
    { schema: { params: groupParams, body: verifyBody } },
    async ({ params: { group }, body: { bytesPerSecond } }) =>
      bounded(steering.verify(group, bytesPerSecond), `begin to verify "${group}"`),
  );
  app.post<{ Params: { readonly node: NodeId } }>(
    '/v1/nodes/:node/clear',
    { schema: { params: nodeParams } },
    async ({ params: { node } }) => bounded(steering.clearNode(node), `clear "${node}"`),
  );
  app.post<{ Body: MaintenanceRequest }>(
    '/v1/maintenance',
    { schema: { body: maintenanceBody } },
    async ({ body }) => bounded(steering.maintain(body), 'record the maintenance'),
  );
}

function named(group: GroupId, body: InstanceBody): string {
  const where = body?.node === undefined ? '' : ` on "${body.node}"`;
  return `group "${group}"${where}`;
}

function namesOf(list: string | undefined): readonly NodeId[] | undefined {
  return list?.split(',').filter((name) => name !== '') as NodeId[] | undefined;
}

/** The sentence on the outcome, or `timed-out` while the operation goes on. */
async function bounded(
  operation: Promise<string>,
  what: string,
): Promise<{ readonly message: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = OPERATION_MS_MAX / 1000;
      reject(
        new TakoError('timed-out', `Cannot ${what} within ${seconds} s: it is still under way`, {
          next: 'Look with "tako status" and "tako events" how it goes on',
        }),
      );
    }, OPERATION_MS_MAX);
  });
  try {
    return { message: await Promise.race([operation, late]) };
  } finally {
    clearTimeout(timer);
  }
}
